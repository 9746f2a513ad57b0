// The one script of the cluster's semaphore: all it does happens here, in Redis, in one step.

import { script } from "./redis.ts";

/** What Redis knows of a claim. */
export type ClaimState = "held" | "waiting" | "gone";

/**
 * KEYS permits (claims scored by when they lapse), waiters (by ticket), leases (waiters by when they lapse). ARGV verb, limit,
 * lease in ms, channel, claims… A claim is `<weight>:<unique>`.
 * - ask: the claims wait, behind all others, if they do not yet; - try: the same, but those that would have to wait are gone instead;
 * - renew: those still known live for another lease; - release: they are gone.
 * Then lapsed ones are gone, and waiters are granted while the first of them fits. A grant is no sign of life: the permit lapses when
 * the waiter would have, so that the many waiters of a dead process do not hold permits one lease after the other. Answers for each
 * claim "held", "waiting" or "gone". It is one step: a process that dies around it leaves claims that lapse, and asking or releasing
 * twice changes nothing. The keys themselves lapse when all claims in them must have.
 */
export const SEMAPHORE = script(`local permits, waiters, leases = KEYS[1], KEYS[2], KEYS[3]
local verb, limit, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local asks = verb == 'ask' or verb == 'try'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function weightOf(claim) return math.min(tonumber(string.match(claim, '^%d+')), limit) end

redis.call('ZREMRANGEBYSCORE', permits, '-inf', now)
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
  redis.call('ZREM', waiters, dead)
  redis.call('ZREM', leases, dead)
end

for i = 5, #ARGV do
  local claim = ARGV[i]
  if verb == 'release' then
    redis.call('ZREM', permits, claim)
    redis.call('ZREM', waiters, claim)
    redis.call('ZREM', leases, claim)
  elseif redis.call('ZSCORE', permits, claim) then
    redis.call('ZADD', permits, now + lease, claim)
  elseif redis.call('ZSCORE', waiters, claim) then
    redis.call('ZADD', leases, now + lease, claim)
  elseif asks then
    local last = redis.call('ZREVRANGE', waiters, 0, 0, 'WITHSCORES')
    redis.call('ZADD', waiters, (tonumber(last[2]) or 0) + 1, claim)
    redis.call('ZADD', leases, now + lease, claim)
  end
end

local used = 0
for _, claim in ipairs(redis.call('ZRANGE', permits, 0, -1)) do used = used + tonumber(string.match(claim, '^%d+')) end
local granted = {}
while used < limit do
  local first = redis.call('ZRANGE', waiters, 0, 0)[1]
  if not first or used + weightOf(first) > limit then break end
  local lapses = redis.call('ZSCORE', leases, first)
  redis.call('ZREM', waiters, first)
  redis.call('ZREM', leases, first)
  redis.call('ZADD', permits, lapses or now, first)
  used = used + weightOf(first)
  granted[#granted + 1] = first
end
if verb == 'try' then
  for i = 5, #ARGV do
    redis.call('ZREM', waiters, ARGV[i])
    redis.call('ZREM', leases, ARGV[i])
  end
end
for _, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left ~= -2 and left < lease then redis.call('PEXPIRE', key, lease) end
end

local states = {}
for i = 5, #ARGV do
  local claim = ARGV[i]
  if redis.call('ZSCORE', permits, claim) then states[#states + 1] = 'held'
  elseif redis.call('ZSCORE', waiters, claim) then states[#states + 1] = 'waiting'
  else states[#states + 1] = 'gone' end
end
if #granted > 0 and not (asks and #granted == 1 and granted[1] == ARGV[5]) then
  redis.call('PUBLISH', ARGV[4], table.concat(granted, ' '))
end
return states`);
