"""The tables of the bot's earlier versions: as they were described, and as an ORM made them."""

from typing import Final

BY_HAND: Final = """
create type scan_status as enum ('queued', 'running', 'succeeded', 'failed', 'canceled');
create function touch() returns trigger language plpgsql as $$ begin new.updated_at = now(); return new; end $$;
create table users (
    id serial primary key, discord_user_id text unique not null, username text, global_name text, avatar text,
    last_login_at timestamptz
);
create table bot_guilds (
    guild_id text primary key, name text not null, icon text,
    owner_user_id text references users (discord_user_id) on delete set null,
    joined_at timestamptz default now(), last_seen_at timestamptz default now()
);
create table guild_settings (
    guild_id text primary key, settings jsonb not null default '{}', updated_at timestamptz default now()
);
create table bot_channels (
    channel_id text primary key, guild_id text not null references bot_guilds (guild_id) on delete cascade, name text,
    type text, is_nsfw boolean default false, is_reading boolean not null default false, last_message_id text,
    last_scanned_at timestamptz, last_activity_at timestamptz, message_count bigint not null default 0,
    settings jsonb not null default '{}', created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index idx_bot_channels_guild on bot_channels (guild_id);
create index idx_bot_channels_isreading on bot_channels (is_reading) where is_reading = true;
create index idx_bot_channels_last_message_id on bot_channels (last_message_id);
create index idx_bot_channels_work on bot_channels (guild_id, is_reading, last_scanned_at);
create trigger trg_bot_channels_updated_at before update on bot_channels for each row execute function touch();
create table bot_channel_scan_runs (
    id uuid primary key default gen_random_uuid(),
    channel_id text not null references bot_channels (channel_id) on delete cascade,
    after_message_id text, before_message_id text, status scan_status not null default 'queued',
    messages_scanned bigint not null default 0, messages_matched bigint not null default 0, error_message text,
    started_at timestamptz, finished_at timestamptz, created_at timestamptz not null default now()
);
create index idx_bot_scan_runs_channel on bot_channel_scan_runs (channel_id, created_at desc);
create table install_intents (
    state text primary key, user_id text not null references users (discord_user_id) on delete cascade,
    guild_id text not null, created_at timestamp default current_timestamp, expires_at timestamp not null
);
"""

BY_ORM: Final = """
create table "users" (
    "id" serial not null primary key, "discord_user_id" varchar(20) not null unique, "username" varchar(255),
    "global_name" varchar(255), "avatar" text, "last_login_at" timestamptz
);
create table "bot_guilds" (
    "guild_id" varchar(20) not null primary key, "name" varchar(255) not null, "icon" text,
    "joined_at" timestamptz not null default current_timestamp,
    "last_seen_at" timestamptz not null default current_timestamp,
    "owner_user_id" varchar(20) references "users" ("discord_user_id") on delete set null
);
create table "guild_settings" (
    "guild_id" varchar(20) not null primary key, "settings" jsonb not null,
    "updated_at" timestamptz not null default current_timestamp
);
create table "bot_channels" (
    "channel_id" varchar(20) not null primary key, "name" varchar(255), "type" varchar(50),
    "is_nsfw" bool not null default false, "is_reading" bool not null default false, "last_message_id" varchar(20),
    "last_scanned_at" timestamptz, "last_activity_at" timestamptz, "message_count" bigint not null default 0,
    "settings" jsonb not null, "created_at" timestamptz not null default current_timestamp,
    "updated_at" timestamptz not null default current_timestamp,
    "guild_id" varchar(20) not null references "bot_guilds" ("guild_id") on delete cascade
);
create index "idx_bot_channel_guild_i_5b2d0e" on "bot_channels" ("guild_id", "is_reading", "last_scanned_at");
create table "bot_channel_scan_runs" (
    "id" uuid not null primary key, "after_message_id" varchar(20), "before_message_id" varchar(20),
    "status" varchar(9) not null default 'queued', "messages_scanned" bigint not null default 0,
    "messages_matched" bigint not null default 0, "error_message" text, "started_at" timestamptz,
    "finished_at" timestamptz, "created_at" timestamptz not null default current_timestamp,
    "channel_id" varchar(20) not null references "bot_channels" ("channel_id") on delete cascade
);
comment on column "bot_channel_scan_runs"."status" is 'QUEUED: queued';
create table "install_intents" (
    "state" varchar(255) not null primary key, "guild_id" varchar(20) not null,
    "created_at" timestamptz not null default current_timestamp, "expires_at" timestamptz not null,
    "user_id" varchar(20) not null references "users" ("discord_user_id") on delete cascade
);
"""

ROWS: Final = """
insert into users (id, discord_user_id, username, last_login_at) values
    (7, '111', 'ann', '2025-01-02 03:04:05+00'), (9, '1119223372036854775', null, null);
insert into bot_guilds (guild_id, name, owner_user_id) values ('500', 'one', '111'), ('1000', 'two', null);
insert into guild_settings (guild_id, settings) values ('500', '{"prefix": "!", "new_key": "value"}'), ('77', '{}');
insert into bot_channels
    (channel_id, guild_id, name, type, is_reading, last_message_id, message_count, settings, updated_at) values
    ('9', '500', 'nine', 'text', true, '12345', 7, '{"scan_nsfw": true}', '2025-05-05 00:00:00+00'),
    ('10', '1000', 'ten', 'voice', false, null, 0, '{}', '2025-05-05 00:00:00+00');
insert into bot_channel_scan_runs (id, channel_id, after_message_id, status, created_at, messages_scanned) values
    ('00000000-0000-4000-8000-000000000001', '9', '5', 'succeeded', '2025-01-01 00:00:00+00', 100),
    ('00000000-0000-4000-8000-000000000002', '9', null, 'running', '2025-01-02 00:00:00+00', 50),
    ('00000000-0000-4000-8000-000000000003', '9', null, 'queued', '2025-01-03 00:00:00+00', 0),
    ('00000000-0000-4000-8000-000000000004', '10', null, 'queued', '2025-01-03 00:00:00+00', 0);
insert into install_intents (state, user_id, guild_id, created_at, expires_at)
values ('abc', '111', '500', '2025-01-01 00:00:00', '2025-01-01 00:10:00');
"""
