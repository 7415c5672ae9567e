-- Decides about one call by all limits that are about it, and uses up of each or of none.
-- KEYS: three for each limit, one for each kind of counting: b bucket, f fixed window, s sliding window. ARGV: cost, slots of a
-- sliding window, then for each limit kind, count, period in microseconds, burst, shadow (1 or 0).
-- Returns for each limit "<admits> <remaining> <reset> <retry>", joined by ";".
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local cost, slots = tonumber(ARGV[1]), tonumber(ARGV[2])
local passes, found, writes = true, {}, {}

-- What is hidden behind the last digit of a number that is not whole must not refuse anybody.
local GRAIN = 0.000001

-- What a fixed window holds that counts by this period. One of another period began at another time: its last use tells.
local function of_window(key, period)
  local state = redis.call('HMGET', key, 'used', 'window', 'period', 'at')
  local since = tonumber(state[2])
  if state[4] and tonumber(state[3]) ~= period then since = tonumber(state[4]) end
  return since and since <= now and since + period > now and tonumber(state[1]) or nil
end

-- A limit that began to count in another way goes on from what was used by the way before, as this one would see it.
local carried = {}

function carried.b(key, count, period)
  local state = redis.call('HMGET', key, 'used', 'at')
  local at = tonumber(state[2]) or now
  return math.ceil(math.max(0, (tonumber(state[1]) or 0) - math.max(0, now - at) * count / period))
end

function carried.f(key, count, period)
  return of_window(key, period) or 0
end

function carried.s(key, count, period)
  local state, used = redis.call('HGETALL', key), 0
  for i = 1, #state, 2 do
    local begin = tonumber(state[i])
    if begin <= now and begin + period > now then used = used + tonumber(state[i + 1]) end
  end
  return used
end

local function used_before(key, others, count, period, most)
  if redis.call('EXISTS', key) == 1 then return 0 end
  local used = 0
  for kind, other in pairs(others) do used = used + carried[kind](other, count, period) end
  return math.min(used, most)
end

local function bucket(key, count, period, burst, others)
  local state = redis.call('HMGET', key, 'used', 'at')
  local used, at = tonumber(state[1]) or used_before(key, others, count, period, burst), tonumber(state[2]) or now
  used = math.max(0, math.min(used, burst) - math.max(0, now - at) * count / period)
  local after = used + cost
  if after <= burst + GRAIN then
    local reset = math.ceil(after * period / count)
    return 1, math.floor(burst - after + GRAIN), reset, 0, function()
      redis.call('HSET', key, 'used', string.format('%.9f', after), 'at', string.format('%.0f', now))
      return reset
    end
  end
  local retry = cost <= burst and math.ceil((after - burst) * period / count) or -1
  return 0, math.floor(burst - used + GRAIN), math.ceil(used * period / count), retry
end

local function fixed(key, count, period, _, others)
  local begin = now - now % period
  local used = of_window(key, period) or used_before(key, others, count, period, count)
  local ends = begin + period - now
  if used + cost <= count then
    return 1, count - used - cost, ends, 0, function()
      redis.call('HSET', key, 'used', used + cost, 'window', string.format('%.0f', begin),
        'period', string.format('%.0f', period), 'at', string.format('%.0f', now))
      return ends
    end
  end
  return 0, math.max(0, count - used), used > 0 and ends or 0, cost <= count and ends or -1
end

local function sliding(key, count, period, _, others)
  local slot = math.ceil(period / slots)
  local here = now - now % slot
  local before = used_before(key, others, count, period, count)
  local state = redis.call('HGETALL', key)
  if before > 0 then state = { string.format('%.0f', here), tostring(before) } end
  local seen, gone, used, newest = {}, {}, 0, nil
  for i = 1, #state, 2 do
    local begin, calls = tonumber(state[i]), tonumber(state[i + 1])
    if begin > now or begin + slot + period <= now then
      table.insert(gone, state[i])
    else
      table.insert(seen, { begin, calls })
      used = used + calls
      newest = math.max(newest or begin, begin)
    end
  end
  local function leaves(begin) return begin + (slots + 1) * slot - now end
  local left = count - used
  if cost <= left then
    return 1, left - cost, leaves(here), 0, function()
      if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
      redis.call('HINCRBY', key, string.format('%.0f', here), before + cost)
      return leaves(here)
    end
  end
  table.sort(seen, function(a, b) return a[1] < b[1] end)
  local missing, retry = cost - left, -1
  for _, one in ipairs(seen) do
    missing = missing - one[2]
    if missing <= 0 then
      retry = leaves(one[1])
      break
    end
  end
  return 0, math.max(0, left), newest and leaves(newest) or 0, retry
end

local ways = { b = bucket, f = fixed, s = sliding }
local kinds = { 'b', 'f', 's' }
for i = 1, #KEYS / #kinds do
  local at = 3 + (i - 1) * 5
  local count, period, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local key, others = nil, {}
  for n, kind in ipairs(kinds) do
    local one = KEYS[(i - 1) * #kinds + n]
    if kind == ARGV[at] then key = one else others[kind] = one end
  end
  local admits, remaining, reset, retry, write = ways[ARGV[at]](key, count, period, burst, others)
  found[i] = string.format('%d %.0f %.0f %.0f', admits, remaining, reset, retry)
  writes[i] = { key, write, others }
  if admits == 0 and ARGV[at + 4] == '0' then passes = false end
end
if passes then
  for _, one in ipairs(writes) do
    if one[2] then
      redis.call('PEXPIRE', one[1], string.format('%.0f', math.ceil(one[2]() / 1000) + 1000))
      for _, other in pairs(one[3]) do redis.call('DEL', other) end
    end
  end
end
return table.concat(found, ';')
