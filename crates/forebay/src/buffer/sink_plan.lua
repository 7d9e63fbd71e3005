-- Writes down which range of a lane is committed next, so that a successor makes the same.
-- KEYS  writer hash
-- ARGV  the sink's field of the hash, epoch, number of the commit that the range is for, the range: number, id and total of its
--       last block, with a space before each; '' takes the plan back
-- Answer {what, epoch, plan} with what = ok | standing (another plan is there, and stays) | fenced | behind (the server has not
-- the commit before, or has a later one)
local sink, err = sink_of(KEYS[1], ARGV[1])
if err then return err end
local mine, commit, plan = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if sink and sink.epoch > mine then return {'fenced', sink.epoch, ''} end
if not sink or sink.epoch < mine or sink.commit + 1 ~= commit then return {'behind', sink and sink.epoch or 0, ''} end
if sink.plan ~= '' and plan ~= '' and sink.plan ~= plan then return {'standing', mine, sink.plan} end
write_sink(KEYS[1], ARGV[1], mine, sink.done, sink.commit, plan)
return {'ok', mine, plan}
