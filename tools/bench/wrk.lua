-- wrk.lua: the figures of a run of wrk as one line of JSON behind wrk's own report.
-- Interface: wrk -s tools/bench/wrk.lua URL [SIZE RANGE]
-- With SIZE and RANGE it asks for ranges of so many bytes of an object of that size, each time the
-- next of some places drawn at random, the same in each run.

local PLACES = 256

function init(args)
	local size, range = tonumber(args[1]), tonumber(args[2])
	if not range then
		return
	end
	local requests, at = {}, 0
	math.randomseed(1)
	for i = 1, PLACES do
		local first = math.random(0, size - range)
		requests[i] = wrk.format("GET", nil, {
			Host = wrk.headers["Host"],
			Range = string.format("bytes=%.0f-%.0f", first, first + range - 1)
		})
	end
	function request()
		at = at % PLACES + 1
		return requests[at]
	end
end

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'{"seconds":%.6f,"requests":%d,"bytes":%d,"errors":%d,' ..
		'"latency_p50_us":%d,"latency_p99_us":%d,"latency_p999_us":%d}\n',
		summary.duration / 1e6, summary.requests, summary.bytes,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
