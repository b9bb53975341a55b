-- wrk -s post.lua URL -- HEADERS PATH BODIES: POST of each line of a file in turn, again and again.
dofile(os.getenv("BENCH_WRK") .. "/report.lua")
local requests, next = {}, 0

function init(args)
  local headers = headers_of(args[1])
  for body in io.lines(args[3]) do
    requests[#requests + 1] = wrk.format("POST", args[2], headers, body)
  end
end

function request()
  next = next % #requests + 1
  return requests[next]
end
