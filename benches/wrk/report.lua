-- What the harness reads after a run: one line of JSON. `errors` are answers above 399 and whatever broke on the way.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f, "errors": %d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end

function headers_of(path)
  local headers = {}
  for line in io.lines(path) do
    local name, value = line:match("^([^:]+): (.*)$")
    headers[name] = value
  end
  return headers
end

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end
