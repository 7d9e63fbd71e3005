-- Writes down which range of a lane is committed next, so that a successor makes the same.
-- KEYS  stream, writer hash
-- ARGV  the sink's field of the hash, epoch, number of the last commit that the server was seen to have, the commit that is
--       planned: its number, and number, id and total of its last block, with a space before each; '' takes the plan back
-- Answer {what, epoch, plan} with what = ok | standing (another plan for that commit is there, and stays) | fenced | behind (the
-- server came back with less: with another commit, or without the block)
local sink, err = sink_of(KEYS[2], ARGV[1])
if err then return err end
local mine, plan = tonumber(ARGV[2]), ARGV[4]
if sink and sink.epoch > mine then return {'fenced', sink.epoch, ''} end
if not sink or sink.epoch < mine or sink.commit ~= tonumber(ARGV[3]) then return {'behind', sink and sink.epoch or 0, ''} end
if plan ~= '' then
  local commit, id = string.match(plan, '^ (%d+) %d+ (%S+) ')
  if sink.plan ~= plan and string.match(sink.plan, '^ (%d+) ') == commit then return {'standing', mine, sink.plan} end
  if #redis.call('XRANGE', KEYS[1], id, id) == 0 then return {'behind', mine, ''} end
end
write_sink(KEYS[2], ARGV[1], mine, sink.done, sink.commit, plan)
return {'ok', mine, plan}
