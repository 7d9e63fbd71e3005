-- Removes consumers of Forebay's own naming that have nothing pending and were not heard of for long: one step, so that
-- none is given a block in between, which would be lost to the group.
-- KEYS  stream
-- ARGV  group, what such names begin with, milliseconds of silence
-- Answer: how many went
local gone = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local c = {}
  for i = 1, #consumer, 2 do c[consumer[i]] = consumer[i + 1] end
  local is_ours = string.sub(c.name, 1, #ARGV[2]) == ARGV[2]
  if is_ours and c.pending == 0 and c.idle > tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], c.name)
    gone = gone + 1
  end
end
return gone
