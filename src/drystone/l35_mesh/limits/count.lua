-- Counts the requests of services by those of their limits that the proxy itself counts.
--
-- One state of Lua serves all listeners of an Envoy, so that what was used outlives each of them. The limits come with the
-- routes; what changes is found by its version, and what was used up to then goes over to the new limit, as a number of calls.
-- Time is that of the monotonic clock: nobody can set it.

local ffi = require("ffi")
ffi.cdef [[
  struct drystone_moment { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct drystone_moment *moment);
]]
local MONOTONIC = 1
local moment = ffi.new("struct drystone_moment")

local MOST_NAMES = @MOST_NAMES@
local LONGEST = @LONGEST@
local FURTHER = "\0further"
local LOOKED_AT = 4
local CLOSE = 1e-6 -- of a call: what sums of fractions may miss

local services = {}
local room = @MOST_NAMES_OF_ALL@

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

-- Limits -----------------------------------------------------------------------------------------------------------------
--
-- Of each name one number is kept: when its bucket is full again. It is told in calls, as all that would have come back since
-- the clock began, so that what is used up at a moment is the difference to `moment * rate`.

local function forget(limit)
  room = room + limit.size
end

local function carried(limit, before, at)
  local then_full, now_full = at * before.rate, at * limit.rate
  for name, full in pairs(before.full) do
    local used = math.min(math.max(full - then_full, 0), limit.burst)
    before.full[name] = now_full + used
  end
  limit.full, limit.size, limit.line, limit.first, limit.last =
    before.full, before.size, before.line, before.first, before.last
end

local function learned(context, name, known, at)
  local before, limits, longest = known and known.limits or {}, {}, 0
  local by_name = {}
  for _, limit in ipairs(before) do by_name[limit.name] = limit end
  for i, told in ipairs(context:get("limits")) do
    local limit = {
      name = told.name, rate = told.count / told.period, burst = told.burst, header = told.header, shadow = told.shadow,
      methods = told.methods, pieces = told.pieces, open = told.open, policy = told.policy, said = told.said, body = told.body,
      count_ok = "limits/" .. name .. "/" .. told.name .. ".ok", count_over = "limits/" .. name .. "/" .. told.name .. ".over",
      full = {}, size = 0, line = {}, first = 1, last = 0,
    }
    local same = by_name[limit.name]
    if same and same.header == limit.header then
      carried(limit, same, at)
      by_name[limit.name] = nil
    end
    longest = math.max(longest, limit.burst / limit.rate)
    limits[i] = limit
  end
  for _, gone in pairs(by_name) do forget(gone) end
  if known == nil then
    -- What was not called for so long that all its buckets are full is as good as not known.
    for other, of in pairs(services) do
      if at > of.idle_from then
        for _, limit in ipairs(of.limits) do forget(limit) end
        services[other] = nil
      end
    end
  end
  known = { version = context:get("version"), limits = limits, longest = longest }
  services[name] = known
  return known
end

-- Requests ---------------------------------------------------------------------------------------------------------------

local function hides(path)
  if path:find("//", 1, true) or path:find("[;\\]") then return true end
  for digits in path:gmatch("%%(%x%x)") do
    local code = tonumber(digits, 16)
    if code == 0 or string.char(code):find("[%w./\\_~-]") then return true end
  end
  return false
end

local function segment_fits(pieces, text, open)
  local count, first = #pieces, pieces[1]
  if text:sub(1, #first) ~= first then return false end
  if count == 1 then return open or #text == #first end
  local at = #first + 1
  for i = 2, open and count or count - 1 do
    local begins, ends = text:find(pieces[i], at, true)
    if not begins then return false end
    at = ends + 1
  end
  local last = pieces[count]
  return open or (#text - #last + 1 >= at and text:sub(#text - #last + 1) == last)
end

local function path_fits(limit, path)
  local segments, at, count = limit.pieces, 1, #limit.pieces
  for i = 1, count do
    local slash = path:find("/", at, true)
    local text = path:sub(at, slash and slash - 1 or nil)
    local ends = i == count
    if not segment_fits(segments[i], text, ends and limit.open) then return false end
    if ends then return limit.open or not slash end
    if not slash then return false end
    at = slash + 1
  end
end

local function is_about(limit, headers)
  if limit.methods and not limit.methods[headers:get(":method")] then return false end
  if not limit.pieces then return true end
  local path = headers:get(":path") or ""
  local query = path:find("?", 1, true)
  if query then path = path:sub(1, query - 1) end
  return path_fits(limit, path) or hides(path)
end

-- Names ------------------------------------------------------------------------------------------------------------------

local function name_of(value)
  if value == nil then return "" end
  if #value <= LONGEST then return value end
  return value:sub(1, LONGEST / 2) .. "\0" .. #value .. "\0" .. value:sub(-LONGEST / 2)
end

local function place(limit, name, at)
  if limit.full[name] then return name end
  for _ = 1, math.min(LOOKED_AT, limit.last - limit.first + 1) do
    local oldest = limit.line[limit.first]
    limit.line[limit.first] = nil
    limit.first = limit.first + 1
    if limit.full[oldest] <= at then
      limit.full[oldest] = nil
      limit.size, room = limit.size - 1, room + 1
    else
      limit.last = limit.last + 1
      limit.line[limit.last] = oldest
    end
  end
  if room <= 0 or limit.size >= MOST_NAMES then return FURTHER end
  return name
end

local function put(limit, name, full)
  if not limit.full[name] then
    limit.last = limit.last + 1
    limit.line[limit.last] = name
    limit.size, room = limit.size + 1, room - 1
  end
  limit.full[name] = full
end

-- Decisions --------------------------------------------------------------------------------------------------------------

local function refuse(handle, over, waits, headers)
  local worst, left, policies = 1, {}, {}
  for i, limit in ipairs(over) do
    if waits[i].retry > waits[worst].retry then worst = i end
    left[i] = string.format('"%s";r=0;t=%d', limit.name, waits[i].reset)
    policies[i] = limit.policy
  end
  local limit, wait = over[worst], waits[worst].retry
  local is_call = (headers:get("content-type") or ""):sub(1, 16) == "application/grpc"
  handle:respond({
    [":status"] = "429",
    ["retry-after"] = string.format("%d", wait),
    ["ratelimit"] = table.concat(left, ", "),
    ["ratelimit-policy"] = table.concat(policies, ", "),
    ["@LIMIT@"] = limit.name,
    ["grpc-status"] = is_call and "8" or nil,
  }, string.format(is_call and limit.said or limit.body, wait))
end

function envoy_on_request(handle)
  local context = handle:filterContext()
  local service = context:get("service")
  local known, time = services[service], now()
  if known == nil or known.version ~= context:get("version") then
    known = learned(context, service, known, time)
  end
  known.idle_from = time + known.longest
  local headers, stats = handle:headers(), handle:stats()
  local used, over, waits = {}, {}, {}
  for _, limit in ipairs(known.limits) do
    if is_about(limit, headers) then
      local at = time * limit.rate
      local name = place(limit, limit.header and name_of(headers:get(limit.header)) or "", at)
      local full = math.max(limit.full[name] or 0, at)
      local beyond = full + 1 - at - limit.burst
      if beyond <= CLOSE then
        used[#used + 1] = { limit, name, full + 1 }
      else
        stats:counter(limit.count_over):inc()
        if not limit.shadow then
          over[#over + 1] = limit
          waits[#waits + 1] = { retry = math.ceil(beyond / limit.rate - CLOSE), reset = math.ceil((full - at) / limit.rate - CLOSE) }
        end
      end
    end
  end
  if #over > 0 then return refuse(handle, over, waits, headers) end
  for _, one in ipairs(used) do
    put(one[1], one[2], one[3])
    stats:counter(one[1].count_ok):inc()
  end
end
