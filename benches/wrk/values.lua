-- wrk -s values.lua URL -- HEADERS SUBMISSIONS CODES: puts the values of submissions. A thread has submissions of its own; one is
-- free again when its answer has told the new version.
dofile(os.getenv("BENCH_WRK") .. "/report.lua")
local free, codes, headers = {}, {}, {}

function init(args)
  headers = headers_of(args[1])
  local n = 0
  for line in io.lines(args[2]) do
    local id, version = line:match("^(%S+) (%d+)$")
    if n % 2 == number % 2 then
      free[#free + 1] = { id = id, version = version }
    end
    n = n + 1
  end
  for code in io.lines(args[3]) do
    codes[#codes + 1] = code
  end
end

function request()
  local one = table.remove(free, 1)
  local figure, values = math.random(1, 100), {}
  for i, code in ipairs(codes) do
    values[i] = string.format('{"indicator":"%s","numerator":%d,"denominator":100}', code, figure)
  end
  headers["If-Match"] = '"' .. one.version .. '"'
  return wrk.format("PUT", "/api/v1/submissions/" .. one.id .. "/values", headers, '{"values":[' .. table.concat(values, ",") .. "]}")
end

function response(status, _, body)
  local id, version = body:match('"submission":"([^"]+)"'), body:match('"version":(%d+)')
  if status == 200 and id then
    free[#free + 1] = { id = id, version = version }
  end
end
