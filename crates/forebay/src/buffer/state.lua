-- What claim, append and resume begin with: the lane's state, refused with its place where no writer wrote it.

-- The number in a text; none where that is anything but digits, or above 2^53 - 1, which Lua would round.
local function number(text)
  local value = text and string.find(text, '^%d+$') and tonumber(text)
  if value and value <= 9007199254740991 then return value end
end

local function digits(value) return string.format('%.0f', value) end

local function damaged(place, field, text)
  local what = text and 'holds "' .. string.gsub(string.sub(text, 1, 40), '[^%w%p ]', '?') .. '"' or 'is missing'
  return redis.error_reply('DAMAGED ' .. place .. ': field ' .. field .. ' ' .. what)
end

-- {epoch, s, e, c, w, writer, and whether there is any} of a writer hash, or none and an error.
local function state(key)
  local w = redis.call('HMGET', key, 'epoch', 's', 'e', 'c', 'w', 'writer')
  if not (w[1] or w[2] or w[3]) then return {epoch = 0, s = 0, e = 0, c = '', w = '', writer = '', is_there = false} end
  for i, field in ipairs({'epoch', 's', 'e'}) do
    if not number(w[i]) then return nil, damaged('key "' .. key .. '"', field, w[i]) end
  end
  return {epoch = number(w[1]), s = number(w[2]), e = number(w[3]), c = w[4] or '', w = w[5] or '', writer = w[6] or '',
    is_there = true}
end

-- The stream knows better where somebody deleted the hash, or set it back: numbers must never be given twice. Answers
-- an error where its newest entry tells no number.
local function catch_up(key, lane)
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if not newest then return end
  local f = fields(newest)
  -- An entry of a format to come, say; the hash has counted it.
  if not f.s and lane.is_there then return end
  local place = 'key "' .. key .. '", entry ' .. newest[1]
  local s, e = number(f.s), number(f.e)
  if not s then return damaged(place, 's', f.s) end
  if s <= lane.s then return end
  if not e then return damaged(place, 'e', f.e) end
  lane.s, lane.e, lane.c, lane.w = s, e, f.c or '', f.w or ''
end

-- Where a server takes the commands of a transaction and not its MULTI, it may be cut in two. The stream may then still have the
-- name that it has while a block is added behind the script, with that block in it, and not counted.
local function put_back(key, aside, hash, lane)
  if redis.call('EXISTS', aside) == 0 then return end
  if redis.call('EXISTS', key) == 1 then
    return redis.error_reply('DAMAGED key "' .. aside .. '": it holds a stream, and key "' .. key .. '" another')
  end
  redis.call('RENAME', aside, key)
  local err = catch_up(key, lane)
  if err then return err end
  redis.call('HSET', hash, 's', digits(lane.s), 'e', digits(lane.e), 'c', lane.c, 'w', lane.w)
end

-- Whether a lane's stream is gone, deleted or evicted: it is empty, and never had an entry since it was made. One that is
-- trimmed to its end is empty too, and knows what it had.
local function is_gone(key)
  if redis.call('XLEN', key) > 0 then return false end
  if redis.call('EXISTS', key) == 0 then return true end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] == '0-0' end
  end
  return false
end

-- Where a lane's stream is gone, writes down beside the lane what it held, once, so that every reader who comes to the
-- place can tell: all after what its groups were done with (`trim.lua`), as far as that is known. The events.
local function note_loss(key, hash, lane)
  if lane.s == 0 or not is_gone(key) then return 0 end
  local s, e = string.match(redis.call('HGET', hash, 'done') or '', '^(%d+) (%d+)$')
  s, e = number(s) or 0, number(e) or 0
  if s >= lane.s then return 0 end
  local is_new = redis.call('HSETNX', hash, 'lost:' .. digits(lane.s), digits(s) .. ' ' .. digits(e) .. ' ' .. digits(lane.e))
  return is_new == 1 and math.max(lane.e - e, 0) or 0
end

-- Where somebody deleted the hash, what was let go before the lane's first block is not known any more: readers are not to
-- take it for lost.
local function forget_before(key, hash, lane)
  if lane.is_there then return end
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  if not first then return end
  local f = fields(first)
  local s, n, e = number(f.s), number(f.n), number(f.e)
  if s and n and e and s > 1 and e >= n then redis.call('HSET', hash, 'done', digits(s - 1) .. ' ' .. digits(e - n)) end
end
