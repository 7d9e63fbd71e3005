-- Takes a lane for a run of a sink: every older run is fenced from here on.
-- KEYS  writer hash
-- ARGV  the sink's field of the hash, epoch, 1 where the lane decides the epoch: then a higher one is taken where it must be
-- Answer {what, epoch} with what = ok | fenced (the epoch that has it) | none (nobody ever wrote the lane)
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then return {'none', 0} end
local sink, err = sink_of(KEYS[1], ARGV[1])
if err then return err end
sink = sink or {epoch = 0, done = '0 0-0 0', commit = 0, plan = ''}
local mine = tonumber(ARGV[2])
if ARGV[3] == '1' then
  mine = math.max(mine, sink.epoch + 1)
elseif sink.epoch > mine then
  return {'fenced', sink.epoch}
end
write_sink(KEYS[1], ARGV[1], mine, sink.done, sink.commit, sink.plan)
return {'ok', mine}
