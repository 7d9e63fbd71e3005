-- What the steps of a sink begin with: the field that it has in a lane's hash,
-- `<epoch> <number> <id> <total> <commit>` and, while a range is planned, ` <commit> <number> <id> <total>`.

-- {epoch, done, commit, plan} as texts and numbers; none where there is no such field, or none and an error.
local function sink_of(key, field)
  local text = redis.call('HGET', key, field)
  if not text then return nil end
  local epoch, done, commit, plan = string.match(text, '^(%d+) (%d+ %d+%-%d+ %d+) (%d+)(.*)$')
  if not epoch or (plan ~= '' and not string.match(plan, '^ %d+ %d+ %d+%-%d+ %d+$')) then
    local what = string.gsub(string.sub(text, 1, 80), '[^%w%p ]', '?')
    return nil, redis.error_reply('DAMAGED key "' .. key .. '": field ' .. field .. ' holds "' .. what .. '"')
  end
  return {epoch = tonumber(epoch), done = done, commit = tonumber(commit), plan = plan}
end

-- A full server refuses HSET as a script's first write, and not after HDEL.
local function write_sink(key, field, epoch, done, commit, plan)
  redis.call('HDEL', key, '')
  redis.call('HSET', key, field, string.format('%.0f %s %.0f%s', epoch, done, commit, plan))
end
