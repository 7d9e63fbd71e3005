-- Trims a lane up to the lowest block that some group still has to read or to acknowledge.
-- KEYS  stream
-- Answer: how many blocks went
-- A server that came back empty has nothing to trim.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local function before(a, b)
  local ams, aseq = parts(a)
  local bms, bseq = parts(b)
  return ams < bms or (ams == bms and aseq < bseq)
end
local keep
for _, group in ipairs(groups) do
  local g = {}
  for i = 1, #group, 2 do g[group[i]] = group[i + 1] end
  local first = redis.call('XPENDING', KEYS[1], g.name)[2]
  if not first then
    local ms, seq = parts(g['last-delivered-id'])
    first = string.format('%.0f-%.0f', ms, seq + 1)
  end
  if not keep or before(first, keep) then keep = first end
end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', keep)
