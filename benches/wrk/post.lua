-- wrk -s post.lua URL -- HEADERS PATH BODY: the same POST again and again.
dofile(os.getenv("BENCH_WRK") .. "/report.lua")
local one

function init(args)
  local body = io.open(args[3], "rb"):read("*a")
  one = wrk.format("POST", args[2], headers_of(args[1]), body)
end

function request()
  return one
end
