-- One POST, over and over, `@N@` in it replaced by 0, 1, … if BENCH_VARIED says how many; at the end a line of JSON for bench/load.py (times in microseconds).

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Content-Type"] = os.getenv("BENCH_CONTENT_TYPE") or "application/x-www-form-urlencoded"
wrk.headers["Authorization"] = os.getenv("BENCH_AUTHORIZATION")

local varied, number = tonumber(os.getenv("BENCH_VARIED") or "0"), 0
if varied > 0 then
   local body = wrk.body
   function request()
      number = (number + 1) % varied
      return wrk.format(nil, nil, nil, (body:gsub("@N@", number)))
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "failed": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
