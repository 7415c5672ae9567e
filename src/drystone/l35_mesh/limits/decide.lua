-- Decides about one call by all limits that are about it, and uses up of each or of none.
-- KEYS: one for each limit. ARGV: cost, slots of a sliding window, then for each limit
-- kind (b bucket, f fixed window, s sliding window), count, period in microseconds, burst, shadow (1 or 0).
-- Returns for each limit "<admits> <remaining> <reset> <retry>", joined by ";".
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local cost, slots = tonumber(ARGV[1]), tonumber(ARGV[2])
local passes, found, writes = true, {}, {}

-- What is hidden behind the last digit of a number that is not whole must not refuse anybody.
local GRAIN = 0.000001

local function bucket(key, count, period, burst)
  local state = redis.call('HMGET', key, 'used', 'at')
  local used, at = tonumber(state[1]) or 0, tonumber(state[2]) or now
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

local function fixed(key, count, period)
  local state = redis.call('HMGET', key, 'used', 'window')
  local begin, used = now - now % period, 0
  local window = tonumber(state[2])
  if window and window <= now and window + period > now then
    used = tonumber(state[1])
  end
  local ends = begin + period - now
  if used + cost <= count then
    return 1, count - used - cost, ends, 0, function()
      redis.call('HSET', key, 'used', used + cost, 'window', string.format('%.0f', begin))
      return ends
    end
  end
  return 0, math.max(0, count - used), used > 0 and ends or 0, cost <= count and ends or -1
end

local function sliding(key, count, period)
  local slot = math.ceil(period / slots)
  local state = redis.call('HGETALL', key)
  local seen, gone, used, newest = {}, {}, 0, nil
  local here = now - now % slot
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
      redis.call('HINCRBY', key, string.format('%.0f', here), cost)
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
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 5
  local count, period, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local admits, remaining, reset, retry, write = ways[ARGV[at]](key, count, period, burst)
  found[i] = string.format('%d %.0f %.0f %.0f', admits, remaining, reset, retry)
  writes[i] = { key, write }
  if admits == 0 and ARGV[at + 4] == '0' then passes = false end
end
if passes then
  for _, one in ipairs(writes) do
    if one[2] then redis.call('PEXPIRE', one[1], string.format('%.0f', math.ceil(one[2]() / 1000) + 1000)) end
  end
end
return table.concat(found, ';')
