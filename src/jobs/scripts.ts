// The Lua scripts, each with its contract; commit.ts calls them. For every one: Redis runs it as one step and logs its writes as
// one transaction, so a process that dies around it, or a Redis that dies within it, leaves all of its writes or none. Each may
// arrive twice (a connection broke after it was sent): the second time changes nothing.

import { script } from "./redis.ts";

/** Redis's clock: the only one that all processes share. */
const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** Numbers the events and puts them into the job's stream; changes of state also into the tenant's. Then rings. */
const APPEND = `local function append(job, events, tenant, c)
  local told = 0
  for _, event in ipairs(c.events) do
    local seq = redis.call('HINCRBY', job, 'seq', 1)
    redis.call('XADD', events, 'MAXLEN', '~', c.length, seq .. '-0', 'type', event.type, 'data', event.data)
    if event.state then
      redis.call('XADD', tenant, 'MAXLEN', '~', c.length, '*', 'type', event.type, 'data', event.data)
      told = 1
    end
  end
  if c.totals and now - (tonumber(redis.call('HGET', job, 'told')) or 0) >= c.totalsEveryMs then
    redis.call('HSET', job, 'told', now)
    redis.call('XADD', tenant, 'MAXLEN', '~', c.length, '*', 'type', 'active', 'data', c.totals)
    told = 1
  end
  redis.call('PUBLISH', c.bell, c.jobBell)
  if told == 1 then redis.call('PUBLISH', c.bell, c.tenantBell) end
end
`;

/**
 * KEYS job, events, secrets, tenant events, live, [idempotency], then the indexes. ARGV call (JSON), record, sealed secrets or "".
 * Answers "" if the job is recorded: with its first event, its secrets and its places in all lists, due in the sweep unless it
 * is queued first. Answers what the idempotency key holds if another job has it; then nothing was written.
 */
export const CREATE = script(`${NOW}${APPEND}local c = cjson.decode(ARGV[1])
local index = 6
if c.idempotency then
  local holds = redis.call('GET', KEYS[6])
  if holds and holds ~= c.idempotency then return holds end
  index = 7
end
if redis.call('EXISTS', KEYS[1]) == 1 then return '' end
if c.idempotency then redis.call('SET', KEYS[6], c.idempotency, 'PX', c.keptMs) end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'rev', 1)
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[3], ARGV[3])
  redis.call('HSET', KEYS[1], 'secrets', 1)
end
redis.call('ZADD', KEYS[5], now + c.queuedWithinMs, c.id)
for i = index, #KEYS do redis.call('ZADD', KEYS[i], 0, c.id) end
append(KEYS[1], KEYS[2], KEYS[4], c)
return ''`);

/**
 * KEYS job, events, secrets, tenant events, live, finished, index of the status before, of the status after, manifest. ARGV call
 * (JSON), record, manifest or "". Answers "ok" if nobody wrote since revision c.rev: record, events, indexes, manifest and the
 * times at which things lapse are written. "changed": somebody did, or the job is gone; "lapsed": a job that was over is to run
 * again, but its secrets are gone. Then nothing was written.
 */
export const COMMIT = script(`${NOW}${APPEND}local c = cjson.decode(ARGV[1])
local held = redis.call('HMGET', KEYS[1], 'rev', 'writer', 'secrets')
if held[1] ~= c.rev then
  if held[2] == c.writer then return 'ok' end
  return 'changed'
end
if c.revives then
  if held[3] and redis.call('EXISTS', KEYS[3]) == 0 then return 'lapsed' end
  redis.call('PERSIST', KEYS[2])
  redis.call('PERSIST', KEYS[3])
  redis.call('ZREM', KEYS[6], c.id)
  redis.call('ZADD', KEYS[5], now + c.queuedWithinMs, c.id)
end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'writer', c.writer)
redis.call('HINCRBY', KEYS[1], 'rev', 1)
redis.call('ZREM', KEYS[7], c.id)
redis.call('ZADD', KEYS[8], 0, c.id)
if ARGV[3] ~= '' then redis.call('SET', KEYS[9], ARGV[3]) end
append(KEYS[1], KEYS[2], KEYS[4], c)
if c.ends then
  redis.call('PEXPIRE', KEYS[2], c.keptMs)
  if c.succeeds then redis.call('DEL', KEYS[3]) else redis.call('PEXPIRE', KEYS[3], c.keptMs) end
  redis.call('ZREM', KEYS[5], c.id)
  redis.call('ZADD', KEYS[6], now, c.id)
end
return 'ok'`);

/**
 * KEYS job, finished, then all that is deleted with the job, then c.indexes lists. ARGV call (JSON). Answers 1 if nothing of the
 * job is left; 0, and nothing was touched, if somebody wrote since revision c.rev.
 */
export const FORGET = script(`local c = cjson.decode(ARGV[1])
local rev = redis.call('HGET', KEYS[1], 'rev')
if rev and rev ~= c.rev then return 0 end
redis.call('ZREM', KEYS[2], c.id)
for i = 3, #KEYS do
  if i > #KEYS - c.indexes then redis.call('ZREM', KEYS[i], c.id) else redis.call('DEL', KEYS[i]) end
end
redis.call('DEL', KEYS[1])
return 1`);

/** KEYS live. ARGV id, ms. The sweep looks at the job again after so long, if it is still live. */
export const SEEN = script(
  `${NOW}return redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])`,
);

/** KEYS a set scored by times. ARGV ms, count. Reads: members whose time is at least so long ago, the longest ago first. */
export const DUE = script(
  `${NOW}return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1], 'LIMIT', 0, ARGV[2])`,
);
