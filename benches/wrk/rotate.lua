-- wrk -s rotate.lua URL -- HEADERS PATHS: asks for the paths of a file in turn, each thread from a place of its own.
-- With BENCH_PAUSE a connection waits that many milliseconds on average before each request: a rate below the full one.
dofile(os.getenv("BENCH_WRK") .. "/report.lua")
local requests, at = {}, 0

function init(args)
  local headers = headers_of(args[1])
  for path in io.lines(args[2]) do
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  at = number * 7919 % #requests
end

function request()
  at = at % #requests + 1
  return requests[at]
end

local pause = tonumber(os.getenv("BENCH_PAUSE") or "0")
if pause > 0 then
  function delay()
    return math.random(0, 2 * pause)
  end
end
