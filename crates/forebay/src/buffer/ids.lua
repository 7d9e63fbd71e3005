-- Ids of entries, as text: their numbers go up to 2^64 - 1, and Lua's are exact up to 2^53 alone.
local last_number = '18446744073709551615'

local function parts(id) return string.match(id, '^(%d+)-(%d+)$') end

local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function before(a, b)
  local ams, aseq = parts(a)
  local bms, bseq = parts(b)
  if ams ~= bms then return less(ams, bms) end
  return less(aseq, bseq)
end

local function plus_one(number)
  local head, digit, nines = string.match(number, '^(%d*)([0-8])(9*)$')
  if not head then return '1' .. string.rep('0', #number) end
  return head .. tostring(tonumber(digit) + 1) .. string.rep('0', #nines)
end

-- The id right after one; none after the last that there can be.
local function following(id)
  local ms, seq = parts(id)
  if seq ~= last_number then return ms .. '-' .. plus_one(seq) end
  if ms ~= last_number then return plus_one(ms) .. '-0' end
end

-- Trims a stream of everything before an id, or of everything; how many entries went.
local function trim_before(key, id)
  if not id then return redis.call('XTRIM', key, 'MAXLEN', '=', 0) end
  return redis.call('XTRIM', key, 'MINID', '=', id)
end

-- The fields of the first block from an id towards another, with XRANGE, or with XREVRANGE for the last. Entries that are none
-- of ours are passed over, up to a hundred.
local function block_at(command, key, from, to)
  for _ = 1, 100 do
    local entry = redis.call(command, key, from, to, 'COUNT', 1)[1]
    if not entry then return end
    local f = fields(entry)
    if f.s and f.n and f.e then return f end
    from = '(' .. entry[1]
  end
end
