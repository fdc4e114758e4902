-- clipsaver's database, whole: applied at every start under an advisory lock, and twice changes nothing.
-- PostgreSQL 14 or newer; no contrib extension. Every id from Discord is a snowflake, every moment a timestamptz.

do $$
begin
    create domain snowflake as bigint check (value >= 0);
exception when duplicate_object then null;
end
$$;

do $$
begin
    create type scan_status as enum ('queued', 'running', 'succeeded', 'failed', 'canceled');
exception when duplicate_object then null;
end
$$;

do $$
begin
    create type picture_state as enum ('pending', 'made', 'failed');
exception when duplicate_object then null;
end
$$;

do $$
begin
    create type clip_state as enum ('pending', 'stored', 'skipped', 'failed', 'gone', 'deleted');
exception when duplicate_object then null;
end
$$;

create or replace function set_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at = now();
    return new;
end
$$;

-- What was applied, and when.
create table if not exists schema_versions (
    version integer primary key,
    applied_at timestamptz not null default now()
);
-- Of this text: whoever finds its own has nothing to do.
alter table schema_versions add column if not exists digest text;

-- ── people ──────────────────────────────────────────────────────────────────────────────────────────────────────────

create table if not exists users (
    id serial primary key,
    discord_user_id snowflake unique not null,
    username text,
    global_name text,
    avatar text,
    last_login_at timestamptz
);

-- ── guilds ──────────────────────────────────────────────────────────────────────────────────────────────────────────

create table if not exists bot_guilds (
    guild_id snowflake primary key,
    name text not null,
    icon text,
    owner_user_id snowflake references users (discord_user_id) on delete set null,
    joined_at timestamptz default now(),
    last_seen_at timestamptz default now()
);

-- No reference to bot_guilds: a server's settings outlive a visit of the bot.
create table if not exists guild_settings (
    guild_id snowflake primary key,
    settings jsonb not null default '{}',
    updated_at timestamptz default now()
);

create or replace trigger trg_guild_settings_updated_at
    before update on guild_settings for each row execute function set_updated_at();

create table if not exists roles (
    role_id snowflake primary key,
    guild_id snowflake not null references bot_guilds (guild_id) on delete cascade,
    name text not null,
    permissions bigint not null,
    position integer not null default 0
);
create index if not exists idx_roles_guild on roles (guild_id);

-- Who changed what: settings, reading toggles, scans.
create table if not exists audit (
    id bigint generated always as identity primary key,
    guild_id snowflake not null references bot_guilds (guild_id) on delete cascade,
    actor_user_id snowflake,
    action text not null,
    details jsonb not null default '{}',
    created_at timestamptz not null default now()
);
create index if not exists idx_audit_guild on audit (guild_id, created_at desc);

-- ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────────

create table if not exists bot_channels (
    channel_id snowflake primary key,
    guild_id snowflake not null references bot_guilds (guild_id) on delete cascade,
    name text,
    type text,
    is_nsfw boolean default false,
    is_reading boolean not null default false,
    last_message_id snowflake,
    last_scanned_at timestamptz,
    last_activity_at timestamptz,
    message_count bigint not null default 0,
    settings jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
alter table bot_channels add column if not exists parent_id snowflake;
alter table bot_channels add column if not exists position integer not null default 0;
-- Message ids read under rules_hash; what was read under earlier rules lies aside in stale.
alter table bot_channels add column if not exists coverage int8multirange not null default '{}';
alter table bot_channels add column if not exists stale int8multirange not null default '{}';
alter table bot_channels add column if not exists rules_hash text;
-- Written when a run ends, never per page: the partial index below must not cost a page its HOT update.
alter table bot_channels add column if not exists has_gaps boolean not null default true;
-- Coverage is rewritten with every page: room for the new version on the same heap page.
alter table bot_channels set (fillfactor = 70);

create index if not exists idx_bot_channels_guild on bot_channels (guild_id);
create index if not exists idx_bot_channels_isreading on bot_channels (is_reading) where is_reading = true;
create index if not exists idx_bot_channels_last_message_id on bot_channels (last_message_id);
create index if not exists idx_bot_channels_work on bot_channels (guild_id, is_reading, last_scanned_at);
create index if not exists idx_bot_channels_gaps on bot_channels (guild_id) where has_gaps;

create or replace trigger trg_bot_channels_updated_at
    before update on bot_channels for each row execute function set_updated_at();

create table if not exists channel_overwrites (
    channel_id snowflake not null references bot_channels (channel_id) on delete cascade,
    target_id snowflake not null,
    target_type text not null check (target_type in ('role', 'member')),
    allow bigint not null,
    deny bigint not null,
    primary key (channel_id, target_id)
);

-- ── clips ───────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Only messages that hold a clip; content only where the server's settings ask for it.
create table if not exists messages (
    message_id snowflake primary key,
    channel_id snowflake not null references bot_channels (channel_id) on delete cascade,
    guild_id snowflake not null,
    author_id snowflake references users (discord_user_id) on delete set null,
    content text,
    posted_at timestamptz not null,
    edited_at timestamptz
);
create index if not exists idx_messages_channel on messages (channel_id, message_id desc);
create index if not exists idx_messages_author on messages (author_id);

-- clip_id: '<message_id>-<attachment_id>', or '<message_id>-e<index>' for media that is no attachment.
create table if not exists clips (
    clip_id text primary key,
    message_id snowflake not null references messages (message_id) on delete cascade,
    attachment_id snowflake,
    channel_id snowflake not null,
    guild_id snowflake not null,
    filename text not null,
    title text,
    description text,
    content_type text,
    size bigint,
    url text not null,
    url_expires_at timestamptz,
    width integer,
    height integer,
    duration_seconds double precision,
    is_clip boolean not null default false,
    is_spoiler boolean not null default false,
    is_forward boolean not null default false,
    game text,
    clip_created_at timestamptz,
    participants bigint[] not null default '{}',
    state clip_state not null default 'pending',
    reason text,
    sha256 bytea,
    created_at timestamptz not null default now()
);
create index if not exists idx_clips_message on clips (message_id);
create index if not exists idx_clips_channel on clips (channel_id, message_id desc);
create index if not exists idx_clips_guild on clips (guild_id, message_id desc);
-- What is left to do for a pending clip: when to try, how often that was tried, and, beside the reason that people
-- read, the one that programs tell apart.
alter table clips add column if not exists due_at timestamptz not null default now();
alter table clips add column if not exists attempts integer not null default 0;
alter table clips add column if not exists reason_code text;
-- One index to claim by, to count by and to retry by; a stored clip has left it. What a page writes again (links) and
-- what a claim writes (leases, which have a table of their own) is not in it.
create index if not exists idx_clips_unsaved on clips (state, channel_id, due_at) where state <> 'stored';
create index if not exists idx_clips_sha256 on clips (sha256) where sha256 is not null;

-- The bytes in the storage, under their hash, each once however many clips have them.
create table if not exists blobs (
    sha256 bytea primary key check (length(sha256) = 32),
    size bigint not null,
    media_type text,
    stored_at timestamptz not null default now(),
    verified_at timestamptz,
    -- Whoever removes the bytes commits this first; a clip is stored only where it is null.
    deleting_at timestamptz
);
-- Whoever reads the bytes again, to see whether they are still the same, has them until then.
alter table blobs add column if not exists checking_until timestamptz;
create index if not exists idx_blobs_checked on blobs (coalesce(verified_at, stored_at)) where deleting_at is null;

-- What the storage says of itself, to tell it from others: an empty folder in its place is no loss of everything.
create table if not exists storage_label (
    one boolean primary key default true check (one),
    label text not null
);

-- What is known of each stored video, and which pictures of it lie in the storage: looked at once, however many clips
-- have it. Whoever holds the token may write; attempts count claims, and outlive a worker that dies with it in hand.
create table if not exists thumbnails (
    sha256 bytea primary key references blobs (sha256) on delete cascade,
    state picture_state not null default 'pending',
    reason text,
    reason_code text,
    due_at timestamptz not null default now(),
    attempts integer not null default 0,
    lease_token uuid,
    lease_until timestamptz,
    made_at timestamptz,
    container text,
    duration_seconds double precision,
    width integer,
    height integer,
    rotation integer,
    frame_rate double precision,
    video_codec text,
    audio_codec text,
    has_audio boolean,
    pixel_format text,
    plays_in_browsers boolean,
    -- By what their names end in, '320', '640' and 'preview': width and height.
    pictures jsonb not null default '{}'
);
-- What is left to do, and what was given up; a video with its pictures has left it.
create index if not exists idx_thumbnails_unmade on thumbnails (state, due_at) where state <> 'made';

-- Whoever stores bytes, they are looked at.
create or replace function await_pictures() returns trigger language plpgsql as $$
begin
    insert into thumbnails (sha256) values (new.sha256) on conflict (sha256) do nothing;
    return null;
end
$$;
create or replace trigger trg_blobs_inserted after insert on blobs
    for each row execute function await_pictures();
-- Bytes from before there were pictures.
insert into thumbnails (sha256, due_at)
select b.sha256, b.stored_at from blobs b
where not exists (select from thumbnails t where t.sha256 = b.sha256)
on conflict (sha256) do nothing;

-- The clips whose bytes are on their way; whoever holds the token may write about them. The room they will take is
-- reserved here, and attempts outlive a worker that dies with the clip in hand.
create table if not exists downloads (
    clip_id text primary key,
    guild_id snowflake not null,
    bytes bigint not null default 0,
    attempts integer not null,
    lease_token uuid not null,
    lease_until timestamptz not null
);

-- What each server's stored clips take together. No reference to bot_guilds: it is told by the clips alone.
create table if not exists guild_usage (
    guild_id snowflake primary key,
    clips bigint not null default 0,
    bytes bigint not null default 0,
    -- Whether there are clips that were left out for want of room.
    lacks_room boolean not null default false
);
alter table guild_usage set (fillfactor = 50);

-- Usage follows the clips whoever changes them, in the same transaction. One clip after the other becomes stored, but
-- thousands can go at once, with their channel.
create or replace function charge_clip() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.state = 'stored' then
        update guild_usage u set clips = u.clips - 1,
            bytes = u.bytes - coalesce((select size from blobs where sha256 = old.sha256), 0)
        where u.guild_id = old.guild_id;
    end if;
    if new.state = 'stored' then
        insert into guild_usage as u (guild_id, clips, bytes)
        values (new.guild_id, 1, coalesce((select size from blobs where sha256 = new.sha256), 0))
        on conflict (guild_id) do update set clips = u.clips + 1, bytes = u.bytes + excluded.bytes;
    end if;
    return null;
end
$$;
create or replace function discharge_clips() returns trigger language plpgsql as $$
begin
    update guild_usage u set clips = u.clips - gone.clips, bytes = u.bytes - gone.bytes
    from (
        select c.guild_id, count(*) as clips, coalesce(sum(b.size), 0) as bytes
        from deleted c left join blobs b on b.sha256 = c.sha256
        where c.state = 'stored' group by c.guild_id
    ) gone
    where u.guild_id = gone.guild_id;
    return null;
end
$$;
create or replace trigger trg_clips_inserted after insert on clips
    for each row when (new.state = 'stored') execute function charge_clip();
create or replace trigger trg_clips_updated after update of state, sha256, guild_id on clips
    for each row when ((old.state = 'stored' or new.state = 'stored')
        and (old.state, old.sha256, old.guild_id) is distinct from (new.state, new.sha256, new.guild_id))
    execute function charge_clip();
create or replace trigger trg_clips_deleted after delete on clips
    referencing old table as deleted for each statement execute function discharge_clips();

-- How many clips there are in each state, and why: sums that nobody has to count for. Whoever changes clips adds rows
-- here and locks none, so that nobody waits; now and then the rows of one kind are folded into one.
create table if not exists clip_tallies (
    guild_id snowflake not null,
    channel_id snowflake not null,
    state clip_state not null,
    reason_code text not null default '',
    clips bigint not null,
    bytes bigint not null
);
create index if not exists idx_clip_tallies_guild on clip_tallies (guild_id, channel_id);

-- One function for each, since a function's text may name only what its trigger has.
create or replace function tally_inserted() returns trigger language plpgsql as $$
begin
    insert into clip_tallies (guild_id, channel_id, state, reason_code, clips, bytes)
    select c.guild_id, c.channel_id, c.state, coalesce(c.reason_code, ''), count(*), coalesce(sum(
        case when c.state = 'stored' then (select b.size from blobs b where b.sha256 = c.sha256) end), 0)
    from inserted c group by 1, 2, 3, 4;
    return null;
end
$$;
create or replace function tally_updated() returns trigger language plpgsql as $$
begin
    insert into clip_tallies (guild_id, channel_id, state, reason_code, clips, bytes)
    select guild_id, channel_id, state, reason_code, clips, bytes
    from (
        select c.guild_id, c.channel_id, c.state, coalesce(c.reason_code, '') as reason_code, sum(c.n) as clips,
            coalesce(sum(
                case when c.state = 'stored' then c.n * (select b.size from blobs b where b.sha256 = c.sha256) end
            ), 0) as bytes
        from (
            select guild_id, channel_id, state, reason_code, sha256, -1 as n from before
            union all
            select guild_id, channel_id, state, reason_code, sha256, 1 from after
        ) c
        group by 1, 2, 3, 4
    ) changed
    where clips <> 0 or bytes <> 0;
    return null;
end
$$;
create or replace function tally_deleted() returns trigger language plpgsql as $$
begin
    insert into clip_tallies (guild_id, channel_id, state, reason_code, clips, bytes)
    select c.guild_id, c.channel_id, c.state, coalesce(c.reason_code, ''), -count(*), -coalesce(sum(
        case when c.state = 'stored' then (select b.size from blobs b where b.sha256 = c.sha256) end), 0)
    from deleted c group by 1, 2, 3, 4;
    return null;
end
$$;
create or replace trigger trg_clips_tally_inserted after insert on clips
    referencing new table as inserted for each statement execute function tally_inserted();
create or replace trigger trg_clips_tally_updated after update on clips
    referencing old table as before new table as after for each statement execute function tally_updated();
create or replace trigger trg_clips_tally_deleted after delete on clips
    referencing old table as deleted for each statement execute function tally_deleted();

-- Clips from before there were tallies.
create or replace function tally_all() returns void language sql as $$
    insert into clip_tallies (guild_id, channel_id, state, reason_code, clips, bytes)
    select c.guild_id, c.channel_id, c.state, coalesce(c.reason_code, ''), count(*),
        coalesce(sum(b.size) filter (where c.state = 'stored'), 0)
    from clips c left join blobs b on b.sha256 = c.sha256 group by 1, 2, 3, 4
$$;
select tally_all() where not exists (select from clip_tallies);

-- Which workers fetch nothing because the storage takes nothing; a row that is not renewed means nothing any more.
create table if not exists saving_halts (
    worker uuid primary key,
    kind text not null check (kind in ('full', 'trouble')),
    free bigint not null,
    seen_at timestamptz not null
);

-- Messages that could not be structured, redacted, kept for a week so that a person can look.
create table if not exists odd_payloads (
    message_id snowflake primary key,
    channel_id snowflake not null references bot_channels (channel_id) on delete cascade,
    reason text not null,
    payload jsonb not null,
    seen_at timestamptz not null default now()
);
create index if not exists idx_odd_payloads_seen on odd_payloads (seen_at);
create index if not exists idx_odd_payloads_channel on odd_payloads (channel_id);

-- ── scans ───────────────────────────────────────────────────────────────────────────────────────────────────────────

create table if not exists bot_channel_scan_runs (
    id uuid primary key default gen_random_uuid(),
    channel_id snowflake not null references bot_channels (channel_id) on delete cascade,
    after_message_id snowflake,
    before_message_id snowflake,
    status scan_status not null default 'queued',
    messages_scanned bigint not null default 0,
    messages_matched bigint not null default 0,
    error_message text,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default now()
);
alter table bot_channel_scan_runs add column if not exists guild_id snowflake;
alter table bot_channel_scan_runs add column if not exists direction text not null default 'backward'
    check (direction in ('backward', 'forward'));
alter table bot_channel_scan_runs add column if not exists rescan text not null default 'continue'
    check (rescan in ('stop', 'continue', 'update'));
alter table bot_channel_scan_runs add column if not exists message_limit bigint check (message_limit > 0);
alter table bot_channel_scan_runs add column if not exists requested_by snowflake;
-- Where the run's ids end, and what of its range is left to read; both fixed when it first starts.
alter table bot_channel_scan_runs add column if not exists horizon bigint;
alter table bot_channel_scan_runs add column if not exists todo int8multirange;
-- The newest message it has read: the channel's own column is indexed, and written only now and then.
alter table bot_channel_scan_runs add column if not exists newest_message_id snowflake;
alter table bot_channel_scan_runs add column if not exists clips_found bigint not null default 0;
alter table bot_channel_scan_runs add column if not exists skipped jsonb not null default '{}';
alter table bot_channel_scan_runs add column if not exists cancel_requested_at timestamptz;
alter table bot_channel_scan_runs add column if not exists last_page_at timestamptz;
alter table bot_channel_scan_runs add column if not exists waiting_until timestamptz;
-- Whoever holds the token may write; attempts count claims since progress was last committed.
alter table bot_channel_scan_runs add column if not exists lease_token uuid;
alter table bot_channel_scan_runs add column if not exists lease_until timestamptz;
alter table bot_channel_scan_runs add column if not exists attempts integer not null default 0;
alter table bot_channel_scan_runs add column if not exists due_at timestamptz not null default now();
-- The message that shows progress: where it should be, where it is, and what it last showed.
alter table bot_channel_scan_runs add column if not exists progress_channel_id snowflake;
alter table bot_channel_scan_runs add column if not exists progress_message_id snowflake;
alter table bot_channel_scan_runs add column if not exists progress_shown_at timestamptz;
alter table bot_channel_scan_runs add column if not exists progress_final boolean not null default false;
alter table bot_channel_scan_runs set (fillfactor = 70);

create index if not exists idx_bot_scan_runs_channel on bot_channel_scan_runs (channel_id, created_at desc);
create unique index if not exists idx_bot_scan_runs_one_active on bot_channel_scan_runs (channel_id)
    where status in ('queued', 'running');
create index if not exists idx_bot_scan_runs_guild on bot_channel_scan_runs (guild_id, created_at desc);
create index if not exists idx_bot_scan_runs_progress on bot_channel_scan_runs (created_at)
    where not progress_final and progress_channel_id is not null;
create index if not exists idx_bot_scan_runs_finished on bot_channel_scan_runs (finished_at)
    where finished_at is not null;

-- ── installs ────────────────────────────────────────────────────────────────────────────────────────────────────────

create table if not exists install_intents (
    state text primary key,
    user_id snowflake not null references users (discord_user_id) on delete cascade,
    guild_id snowflake not null,
    created_at timestamptz default current_timestamp,
    expires_at timestamptz not null
);
create index if not exists idx_install_intents_expires on install_intents (expires_at);

-- ── work ────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- One row a tick: whoever inserts it runs the job, all processes together.
create table if not exists cron_runs (
    job text not null,
    tick timestamptz not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    outcome text,
    error text,
    primary key (job, tick)
);

-- The requests of all processes on one token, as one virtual clock; a row lost in a crash comes back by itself.
create unlogged table if not exists budget (
    one boolean primary key default true check (one),
    tat timestamptz not null
);
-- After a refusal that is meant for the whole bot: nothing is granted before then.
alter table budget add column if not exists held_until timestamptz;
alter table budget add column if not exists held_at timestamptz;
-- Until when that is to be believed: a long one only if it wasn't noted in the future, before the server's clock was set
-- back.
create or replace function holds_until(held_until timestamptz, held_at timestamptz) returns timestamptz
language sql volatile as $$
    select case when held_until <= clock_timestamp() + interval '11 minutes'
                  or held_at <= clock_timestamp() + interval '10 seconds' then held_until end
$$;
-- The latest turns, each of which takes room for a second, and when requests that came late take room after that.
alter table budget add column if not exists turns timestamptz[] not null default '{}';
alter table budget add column if not exists late tstzrange[] not null default '{}';

-- The next turn in the clock's order at which less than so many take room; null: however many. What is far ahead is from
-- before the server's clock was set back; should that take all the room there is, it takes none.
create or replace function next_turn(tat timestamptz, turns timestamptz[], late tstzrange[], most integer)
returns timestamptz language plpgsql volatile as $$
declare
    horizon timestamptz := clock_timestamp() + interval '10 seconds';
    turn timestamptz := case when tat > horizon then clock_timestamp() else greatest(tat, clock_timestamp()) end;
    moment timestamptz;
begin
    if most is null then
        return turn;
    end if;
    for moment in
        select at from (
            select turn as at
            union all select one + interval '1 second' from unnest(turns) as one
            union all select upper(one) from unnest(late) as one
        ) as changes
        where at >= turn and at < horizon order by at
    loop
        if (select count(*) from unnest(turns) as one where one <= moment and one + interval '1 second' > moment)
            + (select count(*) from unnest(late) as one where one @> moment) < most
        then
            return moment;
        end if;
    end loop;
    return turn;
end
$$;

-- Requests that Discord refused and counts (401, 403, 429s of our own), by the second: an address with too many is
-- banned. Unlike the budget they outlive a crash, so that a program which crashes again and again does not begin anew.
create table if not exists invalid_requests (
    at timestamptz primary key,
    requests integer not null,
    stops text check (stops in ('reading', 'everything'))
);

insert into schema_versions (version) values (1) on conflict do nothing;
