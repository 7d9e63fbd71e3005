-- Writes down up to where a lane is in the sink, and moves its group there.
-- KEYS  stream, writer hash
-- ARGV  the sink's field of the hash, its group, epoch, number of the commit, number, id and total of its last block; without
--       number and total the group alone moves, over blocks that the sink has by earlier commits, the last of which is this one
-- Answer {what, epoch or number of the commit, id at which the group stands} with what = ok | fenced | passed (the server has a
-- later commit) | behind (it has no plan for this one: it came back with less) | none (nobody ever wrote the lane)
--
-- A plan is written down once its blocks are there, and what a server comes back with is the beginning of what it had: where the
-- plan stands, so do they. The group never stands beyond the last id given: blocks to come could have smaller ones.
if redis.call('HEXISTS', KEYS[2], 'epoch') == 0 then return {'none', 0, ''} end
local sink, err = sink_of(KEYS[2], ARGV[1])
if err then return err end
local mine, commit, number, id, total = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
if sink and sink.epoch > mine then return {'fenced', sink.epoch, ''} end
if sink and sink.commit > commit then return {'passed', sink.commit, ''} end
local moves = number == ''
if not sink then return {'behind', 0, ''} end
if not moves and sink.commit < commit then
  if sink.plan ~= string.format(' %.0f %s %s %s', commit, number, id, total) then return {'behind', sink.commit, ''} end
end

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
if before(at, id) and not before(field(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id'), id) then
  redis.call('XGROUP', 'SETID', KEYS[1], ARGV[2], id)
  at = id
end
-- A plan for a later commit stays.
local plan = (moves or sink.commit == commit) and sink.plan or ''
if moves then
  number, total = string.match(sink.done, '^(%d+) %S+ (%d+)$')
  commit = sink.commit
end
write_sink(KEYS[2], ARGV[1], mine, number .. ' ' .. at .. ' ' .. total, commit, plan)
return {'ok', commit, at}
