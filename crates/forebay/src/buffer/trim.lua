-- Trims a lane up to the lowest block that some group still has to read or to acknowledge, or that its writer keeps back.
-- KEYS  stream, writer hash
-- Answer: how many blocks went
-- A server that came back empty has nothing to trim.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end
local keep
for _, group in ipairs(groups) do
  local g = {}
  for i = 1, #group, 2 do g[group[i]] = group[i + 1] end
  -- None where it has acknowledged everything up to the last id that there can be.
  local first = redis.call('XPENDING', KEYS[1], g.name)[2] or following(g['last-delivered-id'])
  if first and (not keep or before(first, keep)) then keep = first end
end
local last = block_at('XREVRANGE', KEYS[1], keep and '(' .. keep or '+', '-')
-- What the next writer needs, to tell what its source sends again.
local kept = redis.call('HGET', KEYS[2], 'k')
if kept and parts(kept) and (not keep or before(kept, keep)) then keep = kept end
local trimmed = trim_before(KEYS[1], keep)
-- Number and events of the last block that the groups were done with: should the stream be deleted or evicted, what came after
-- is lost. After the trim: a full server refuses a script whose first write takes memory.
local done = last and last.s .. ' ' .. last.e
if done and redis.call('EXISTS', KEYS[2]) == 1 and redis.call('HGET', KEYS[2], 'done') ~= done then
  redis.call('HSET', KEYS[2], 'done', done)
end
return trimmed
