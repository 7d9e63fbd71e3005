-- Writes down up to where a lane is in the sink, and moves its group there.
-- KEYS  stream, writer hash
-- ARGV  the sink's field of the hash, its group, epoch, number, id and total of the last block, number of the commit
-- Answer {what, epoch or number of the commit, id at which the group stands} with what = ok | fenced | passed (the server has a
-- later commit) | none (nobody ever wrote the lane)
--
-- The group moves only if the server has what was committed, or has trimmed it. A server that came back with less may get other
-- blocks with ids before that one if its clock went back too: whatever stands there is read again, and the sink tells what it
-- has by number and epoch. Never beyond the last id given: blocks to come could have smaller ones.
if redis.call('HEXISTS', KEYS[2], 'epoch') == 0 then return {'none', 0, ''} end
local sink, err = sink_of(KEYS[2], ARGV[1])
if err then return err end
local mine, id, commit = tonumber(ARGV[3]), ARGV[5], tonumber(ARGV[7])
if sink and sink.epoch > mine then return {'fenced', sink.epoch, ''} end
if sink and sink.commit > commit then return {'passed', sink.commit, ''} end

-- A field of a row of XINFO.
local function field(row, name)
  for i = 1, #row, 2 do
    if row[i] == name then return row[i + 1] end
  end
end

local function stands_at()
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    if field(group, 'name') == ARGV[2] then return field(group, 'last-delivered-id') end
  end
end

-- Lets through what follows on a full server, see `write_sink`.
redis.call('HDEL', KEYS[2], '')
-- The server lost the group, or the stream with it.
local at = redis.call('EXISTS', KEYS[1]) == 1 and stands_at()
if not at then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[2], '0', 'MKSTREAM')
  at = '0-0'
end
if id ~= '0-0' and not before(field(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id'), id) then
  local last = redis.call('XREVRANGE', KEYS[1], id, '-', 'COUNT', 1)[1]
  if not last or last[1] == id then
    redis.call('XGROUP', 'SETID', KEYS[1], ARGV[2], id)
    at = id
  end
end
-- A plan for a later commit stays.
local plan = sink and sink.commit == commit and sink.plan or ''
write_sink(KEYS[2], ARGV[1], mine, ARGV[4] .. ' ' .. at .. ' ' .. ARGV[6], commit, plan)
return {'ok', commit, at}
