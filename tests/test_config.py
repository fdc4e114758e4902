"""The configuration: every source, every key, and what is said when something is wrong."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from clipsaver.config import Config, keys, load, packaged, sources
from clipsaver.errors import StartFailed
from clipsaver.guilds.settings import SETTINGS, check

DOCS = Path(__file__).parents[1] / "docs" / "configuration.md"
TOKEN = "MTA0MjQyNDI0MjQyNDI0MjQyNA.GaBcDe.abcdefghijklmnopqrstuvwxyz0123456789AB"

Loading = Callable[..., Config]


@pytest.fixture
def loading(tmp_path: Path) -> Loading:
    """Load a configuration file's text with an environment, in an empty folder."""

    def load_it(text: str | None = None, /, **environ: str) -> Config:
        if text is not None:
            (tmp_path / "config.toml").write_text(text, "utf-8")
        return load(None, environ, tmp_path)

    return load_it


def refusal(loading: Loading, text: str | None = None, /, **environ: str) -> str:
    """What the operator reads when the start fails."""
    with pytest.raises(StartFailed) as caught:
        loading(text, **environ)
    return caught.value.message


def test_without_anything_the_shipped_defaults_hold(loading: Loading, tmp_path: Path) -> None:
    """A newcomer writes no configuration."""
    config = loading()

    assert config.data_dir == tmp_path / "data"
    assert config.discord.rest_url == "https://discord.com/api/v10"
    assert config.discord.media_origins == ("https://cdn.discordapp.com", "https://media.discordapp.net")
    assert (config.discord.token, config.database.url, config.storage.url, config.queue.redis_url) == ("", "", "", "")
    assert (config.discord.requests_per_second, config.database.pool_size) == (48, 10)
    assert (config.web.host, config.web.port, config.web.public_url) == ("127.0.0.1", None, "")
    assert (config.log.level, config.log.format, config.log.levels) == ("INFO", "auto", {})
    assert (config.scans.concurrency, config.scans.lease_seconds) == (500, 15)
    assert config.jobs["purge_install_intents"] == {"cron": "*/30 * * * *", "grace_seconds": 360}
    assert config.jobs["purge_scan_runs"]["keep_days"] == 30
    assert config.jobs["purge_odd_payloads"]["keep_days"] == 7


def test_guilds_agree_with_what_they_start_with() -> None:
    """The shipped file says the same as the settings themselves, key by key."""
    config = load(None, {}, Path("/"))

    assert {key: setting.default for key, setting in SETTINGS.items()} == check(config.guild_defaults)


def test_a_file_in_the_working_directory_is_found(loading: Loading) -> None:
    """What it does not name keeps its default."""
    config = loading('[web]\nhost = "192.0.2.1"\n[discord]\nrequests_per_second = 10')

    assert (config.web.host, config.discord.requests_per_second, config.web.public_url) == ("192.0.2.1", 10.0, "")


def test_config_may_name_a_file(tmp_path: Path) -> None:
    """--config comes before CLIPSAVER_CONFIG, and that before the working directory."""
    for name in ("a.toml", "b.toml", "config.toml"):
        (tmp_path / name).write_text(f'[web]\nhost = "{name}"')

    by_option = load(Path("a.toml"), {"CLIPSAVER_CONFIG": "b.toml"}, tmp_path)
    by_variable = load(None, {"CLIPSAVER_CONFIG": "b.toml"}, tmp_path)
    by_place = load(None, {"CLIPSAVER_CONFIG": ""}, tmp_path)

    assert (by_option.web.host, by_variable.web.host, by_place.web.host) == ("a.toml", "b.toml", "config.toml")


@pytest.mark.parametrize(("path", "environ"), [(Path("no.toml"), {}), (None, {"CLIPSAVER_CONFIG": "no.toml"})])
def test_a_named_file_must_be_there(path: Path | None, environ: dict[str, str], tmp_path: Path) -> None:
    """Asking for a file that is not there is a mistake, not a wish for defaults."""
    with pytest.raises(StartFailed, match=r"There is no configuration file .*no\.toml"):
        load(path, environ, tmp_path)


def test_a_relative_folder_starts_where_it_is_named(tmp_path: Path) -> None:
    """Beside the file, or in the working directory for a variable."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config.toml").write_text('data_dir = "there"')

    of_file = load(Path("etc/config.toml"), {}, tmp_path)
    of_variable = load(Path("etc/config.toml"), {"CLIPSAVER_DATA_DIR": "here"}, tmp_path)

    assert (tmp_path / "etc" / "there", tmp_path / "here") == (of_file.data_dir, of_variable.data_dir)


def test_the_twin_wins_over_the_alias_and_both_over_the_file(loading: Loading) -> None:
    """Precedence: twin, alias, file, shipped default."""
    text = '[discord]\ntoken = "file"'

    assert loading(text).discord.token == "file"
    assert loading(text, DISCORD_BOT_TOKEN="second").discord.token == "second"
    assert loading(text, DISCORD_BOT_TOKEN="second", BOT_TOKEN="first").discord.token == "first"
    assert loading(text, BOT_TOKEN="first", CLIPSAVER_DISCORD_TOKEN="twin").discord.token == "twin"


def test_an_empty_variable_is_not_set(loading: Loading) -> None:
    """A compose file passes empty variables on; they change nothing."""
    config = loading('[log]\nlevel = "DEBUG"', LOG_LEVEL="", CLIPSAVER_LOG_LEVEL=" ", BOT_TOKEN="")

    assert (config.log.level, config.discord.token) == ("DEBUG", "")


def test_the_environment_wins_over_dotenv(loading: Loading, tmp_path: Path) -> None:
    """`.env` beside the file is the environment's lower half; a dollar sign in it is only a dollar sign."""
    (tmp_path / ".env").write_text('BOT_TOKEN=dotenv\nPOSTGRES_PASSWORD="p$HOME"\nLOG_LEVEL=ERROR\nEMPTY\n# words\n')

    config = loading(LOG_LEVEL="WARNING", BOT_TOKEN="")

    assert (config.discord.token, config.log.level) == ("dotenv", "WARNING")
    assert config.database.url == "postgresql://postgres:p%24HOME@localhost:5432/postgres"


def test_dotenv_in_the_working_directory_counts_if_there_is_none_beside_the_file(tmp_path: Path) -> None:
    """One of them is read, never both."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "config.toml").write_text("")
    (tmp_path / ".env").write_text("BOT_TOKEN=here")
    path = Path("etc/config.toml")

    assert load(path, {}, tmp_path).discord.token == "here"

    (tmp_path / "etc" / ".env").write_text("LOG_LEVEL=DEBUG")
    assert load(path, {}, tmp_path).discord.token == ""


@pytest.mark.parametrize(
    ("variable", "text", "read"),
    [
        ("CLIPSAVER_DISCORD_MEDIA_ORIGINS", "http://127.0.0.1:8080, https://A.b:443/", "discord.media_origins"),
        ("CLIPSAVER_DISCORD_REQUESTS_PER_SECOND", "0", "discord.requests_per_second"),
        ("CLIPSAVER_WEB_PORT", "0", "web.port"),
        ("CLIPSAVER_DATABASE_STATEMENT_CACHE_SIZE", "0", "database.statement_cache_size"),
        ("CLIPSAVER_JOBS_PURGE_SCAN_RUNS_CRON", "@daily", "jobs.purge_scan_runs.cron"),
        ("CLIPSAVER_JOBS_PURGE_SCAN_RUNS_KEEP_DAYS", "3", "jobs.purge_scan_runs.keep_days"),
        ("CLIPSAVER_GUILD_DEFAULTS_SAVE_BYTES", "off", "guild_defaults.save_bytes"),
        ("CLIPSAVER_GUILD_DEFAULTS_VIDEO_FORMATS", "mp4, webm,", "guild_defaults.video_formats"),
        ("CLIPSAVER_GUILD_DEFAULTS_MAX_FILE_SIZE_MB", "0.5", "guild_defaults.max_file_size_mb"),
        ("CLIPSAVER_GUILD_DEFAULTS_MIN_VIDEO_SECONDS", "2", "guild_defaults.min_video_seconds"),
        ("CLIPSAVER_GUILD_DEFAULTS_RETENTION_DAYS", "NONE", "guild_defaults.retention_days"),
        ("CLIPSAVER_GUILD_DEFAULTS_MATCH_REGEX", "^gg$", "guild_defaults.match_regex"),
        ("CLIPSAVER_LOG_LEVELS_HIKARI_GATEWAY", "warn", "log.levels"),
        ("CLIPSAVER_DISCORD_REST_URL", "http://[::1]:8080/api/v10/", "discord.rest_url"),
        ("CLIPSAVER_STORAGE_URL", "file:///srv/clips/", "storage.url"),
        ("REDIS_URL", "redis://localhost:6379", "queue.redis_url"),
        ("INSTALL_INTENT_PURGE_CRON", "0 * * * *", "jobs.purge_install_intents.cron"),
    ],
)
def test_variables_have_the_types_of_their_keys(loading: Loading, variable: str, text: str, read: str) -> None:
    """Numbers, switches, lists and schedules can all be written into a variable."""
    expected: dict[str, Any] = {
        "discord.media_origins": ("http://127.0.0.1:8080", "https://a.b"),
        "discord.requests_per_second": 0.0,
        "web.port": 0,
        "database.statement_cache_size": 0,
        "jobs.purge_scan_runs.cron": "0 0 * * *",
        "jobs.purge_scan_runs.keep_days": 3,
        "guild_defaults.save_bytes": False,
        "guild_defaults.video_formats": ["mp4", "webm"],
        "guild_defaults.max_file_size_mb": 0.5,
        "guild_defaults.min_video_seconds": 2,
        "guild_defaults.retention_days": None,
        "guild_defaults.match_regex": "^gg$",
        "log.levels": {"hikari.gateway": "WARNING"},
        "discord.rest_url": "http://[::1]:8080/api/v10",
        "storage.url": "file:///srv/clips",
        "queue.redis_url": "redis://localhost:6379",
        "jobs.purge_install_intents.cron": "0 * * * *",
    }
    value: Any = loading(**{variable: text})
    for name in read.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)

    assert (expected[read], type(expected[read])) == (value, type(value))


def test_every_key_has_a_twin_that_is_read(loading: Loading) -> None:
    """Setting each twin to its own default is accepted."""
    texts = {
        key.twin: ",".join(key.default) if isinstance(key.default, list) else str(key.default)
        for key in keys().values()
        if key.default is not None
    }

    assert loading() == loading(**texts)


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        (
            {
                "POSTGRES_HOST": "db",
                "POSTGRES_PORT": "5433",
                "POSTGRES_USER": "u@x",
                "POSTGRES_PASSWORD": "p:/?#[]@",
                "POSTGRES_DB": "clips",
            },
            "postgresql://u%40x:p%3A%2F%3F%23%5B%5D%40@db:5433/clips",
        ),
        (
            {"DB_TYPE": "postgres", "DB_HOST": "db", "DB_USER": "me", "DB_PASSWORD": "pw", "DB_NAME": "clips"},
            "postgresql://me:pw@db:5432/clips",
        ),
        ({"POSTGRES_DB": "clips"}, "postgresql://postgres@localhost:5432/clips"),
        ({"DB_HOST": "::1"}, "postgresql://postgres@[::1]:5432/postgres"),
        (
            {"POSTGRES_HOST": "/run/postgresql", "POSTGRES_USER": "me"},
            "postgresql://me@/me?host=%2Frun%2Fpostgresql&port=5432",
        ),
        ({"POSTGRES_PORT": "5433"}, ""),
        ({"DB_TYPE": "sqlite"}, ""),
        ({"POSTGRES_HOST": "db", "DATABASE_URL": "postgres://other/db"}, "postgres://other/db"),
    ],
)
def test_a_database_may_be_given_in_parts(loading: Loading, parts: dict[str, str], url: str) -> None:
    """POSTGRES_* and DB_* make an address; a whole address wins; a port alone names no server."""
    assert url == loading(**parts).database.url


def test_settings_of_an_earlier_release_are_read(loading: Loading, tmp_path: Path) -> None:
    """DEFAULT_SETTINGS_PATH may name the YAML file of an earlier release; null means the default."""
    (tmp_path / "settings.yml").write_text(
        'guild_settings_defaults:\n  prefix: "?"\n  auto_scan: false\n  max_file_size_mb: 25\n  match_regex: null\n'
        'database_settings_defaults:\n  install_intent_purge_cron: "0 * * * *"\n'
        "  install_intent_purge_grace_seconds: 60\n"
    )

    config = loading("[guild_defaults]\nscan_nsfw = true\nauto_scan = true", DEFAULT_SETTINGS_PATH="settings.yml")

    assert config.jobs["purge_install_intents"] == {"cron": "0 * * * *", "grace_seconds": 60}
    assert [config.guild_defaults[key] for key in ("prefix", "auto_scan", "max_file_size_mb", "match_regex")] == [
        "?",
        False,
        25,
        None,
    ]
    assert config.guild_defaults["scan_nsfw"] is True


@pytest.mark.parametrize("text", ["[guild_defaults]\nsave_bytes = false", "save_bytes = false"])
def test_a_settings_file_may_be_toml(loading: Loading, tmp_path: Path, text: str) -> None:
    """With its section, or with the settings alone."""
    (tmp_path / "settings.toml").write_text(text)

    config = loading(DEFAULT_SETTINGS_PATH=str(tmp_path / "settings.toml"))

    assert config.guild_defaults["save_bytes"] is False


def test_an_empty_settings_file_changes_nothing(loading: Loading, tmp_path: Path) -> None:
    """All of it may be commented out."""
    (tmp_path / "settings.yaml").write_text("# nothing\n")

    assert loading() == loading(DEFAULT_SETTINGS_PATH="settings.yaml")


def test_keys_of_an_earlier_release_are_read_at_the_top_of_the_file(loading: Loading) -> None:
    """The two schedules had names of their own; saying the same thing twice is no contradiction."""
    config = loading(
        'install_intent_purge_cron = "5 * * * *"\ninstall_intent_purge_grace_seconds = 5\n'
        '[jobs.purge_install_intents]\ncron = "5 * * * *"'
    )

    assert config.jobs["purge_install_intents"] == {"cron": "5 * * * *", "grace_seconds": 5}


def test_loggers_may_be_written_with_or_without_quotes(loading: Loading) -> None:
    """A logger's dots are part of its name."""
    config = loading('[log.levels]\n"hikari.gateway" = "debug"\naiohttp.web = "ERROR"\n"" = "INFO"')

    assert config.log.levels == {"hikari.gateway": "DEBUG", "aiohttp.web": "ERROR", "": "INFO"}


def test_empty_sections_say_nothing(loading: Loading) -> None:
    """A section whose keys are commented out is fine."""
    assert loading() == loading("[log.levels]\n[web]\n[jobs.purge_scan_runs]\n[guild_defaults]")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[discord]\ntoken = 5", "discord.token in {file} must be a text, in quotation marks."),
        ("[discord]\ntokn = 'x'", "discord.tokn in {file} is no key of the configuration. Did you mean discord.token?"),
        ("[zzz]", "zzz in {file} is no key of the configuration."),
        ("discord = 5", "discord in {file} must be a section with keys of its own."),
        ("[discord]\nrest_url = 'ftp://x'", "discord.rest_url in {file} must be an address that begins with https://"),
        ("[discord]\nrest_url = 'https://x:y'", "discord.rest_url in {file} must be an address that begins with"),
        ("[discord]\nrest_url = 'https://u:p@x'", "discord.rest_url in {file} must be an address without user name"),
        ("[discord]\nmedia_origins = 'https://x'", "discord.media_origins in {file} must be a list of texts."),
        ("[discord]\nmedia_origins = ['https://x/y']", "discord.media_origins in {file} must be origins, such as"),
        ("[discord]\nrequests_per_second = true", "discord.requests_per_second in {file} must be a number."),
        ("[discord]\nrequests_per_second = -1", "discord.requests_per_second in {file} must be 0 or more."),
        ("[discord]\nrequests_per_second = inf", "discord.requests_per_second in {file} must be a number."),
        ("[database]\npool_size = 0", "database.pool_size in {file} must be at least 1."),
        ("[database]\npool_size = 1.5", "database.pool_size in {file} must be a whole number."),
        ("[database]\nstatement_cache_size = -1", "database.statement_cache_size in {file} must be 0 or more."),
        ("[database]\nurl = 'mysql://x'", "database.url in {file} must be an address that begins with postgresql://."),
        ("[database]\nurl = 'postgres://[x'", "database.url in {file} must be an address; special characters"),
        ("[queue]\nredis_url = 'x'", "queue.redis_url in {file} must be an address that begins with redis://."),
        ("[storage]\nurl = 'file://x'", "storage.url in {file} must name an absolute folder"),
        ("[storage]\nurl = '/srv'", "storage.url in {file} must begin with file:///"),
        ("[web]\nport = 70000", "web.port in {file} must be a port from 0 to 65535."),
        ("[web]\nport = '8000'", "web.port in {file} must be a whole number."),
        ("[log]\nlevel = 'LOUD'", "log.level in {file} must be DEBUG, INFO, WARNING, ERROR or CRITICAL."),
        ("[log]\nformat = 'xml'", "log.format in {file} must be json, console or auto."),
        ("[log.levels]\nhikari = 'LOUD'", "log.levels.hikari in {file} must be DEBUG"),
        ("[scans]\nlease_seconds = 0.1", "scans.lease_seconds in {file} must be at least 1."),
        ("data_dir = ' '", "data_dir in {file} must be a folder."),
        ("[guild_defaults]\nfoo = 1", "guild_defaults.foo in {file} is no key of the configuration."),
        ("[guild_defaults]\nsave_bytes = 'yes'", "guild_defaults.save_bytes in {file} must be true or false."),
        ("[guild_defaults]\nvideo_formats = [1]", "guild_defaults.video_formats in {file} must be a list of texts."),
        ("[guild_defaults]\nretention_days = true", "guild_defaults.retention_days in {file} must be a number."),
        ("[jobs.other]\ncron = '* * * * *'", "jobs.other.cron in {file} is no key of the configuration."),
        ("[jobs.purge_scan_runs]\nkeep_days = -1", "jobs.purge_scan_runs.keep_days in {file} must be 0 or more."),
        (
            "[jobs.purge_scan_runs]\ncron = '* * * *'",
            "jobs.purge_scan_runs.cron in {file} must be a cron expression of",
        ),
        (
            "[jobs.purge_scan_runs]\ncron = '61 * * * *'",
            "jobs.purge_scan_runs.cron in {file} must be a cron expression",
        ),
        (
            "[jobs.purge_scan_runs]\ncron = '0 0 */31 * 1#2'",
            "jobs.purge_scan_runs.cron in {file} must be a cron expression",
        ),
        (
            "[jobs.purge_scan_runs]\ncron = '* * * * * *'",
            "jobs.purge_scan_runs.cron in {file} must be a cron expression",
        ),
        ("[web\nport = 1", "{file} is not valid TOML: "),
        (
            'install_intent_purge_cron = "5 * * * *"\n[jobs.purge_install_intents]\ncron = "6 * * * *"',
            "install_intent_purge_cron and jobs.purge_install_intents.cron in {file} say different things; keep one",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_full_name(
    loading: Loading, tmp_path: Path, text: str, sentence: str
) -> None:
    """One sentence names the key and the file."""
    said = refusal(loading, text)

    assert said.startswith(sentence.format(file=tmp_path / "config.toml"))
    assert said.endswith((".", "?"))


def test_a_mistake_in_toml_is_said_with_its_line(loading: Loading) -> None:
    """The line is where to look."""
    assert "line 3" in refusal(loading, "[web]\n\nport = \n")


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("CLIPSAVER_WEB_PORT", "x", "web.port (CLIPSAVER_WEB_PORT) must be a whole number."),
        ("CLIPSAVER_DISCORD_REQUESTS_PER_SECOND", "nan", "discord.requests_per_second (CLIPSAVER_DISCORD_REQUESTS"),
        ("CLIPSAVER_SCANS_LEASE_SECONDS", "x", "scans.lease_seconds (CLIPSAVER_SCANS_LEASE_SECONDS) must be a number."),
        ("CLIPSAVER_GUILD_DEFAULTS_SAVE_BYTES", "maybe", "guild_defaults.save_bytes (CLIPSAVER_GUILD_DEFAULTS_SAVE"),
        ("CLIPSAVER_DISCORD_TOKN", "x", "CLIPSAVER_DISCORD_TOKN names no key of the configuration"),
        ("CLIPSAVER_DATADIR", "x", "CLIPSAVER_DATADIR names no key of the configuration"),
        ("LOG_LEVEL", "loud", "log.level (LOG_LEVEL) must be DEBUG"),
        ("DATABASE_URL", "mysql://me:pw@x", "database.url (DATABASE_URL) must be an address that begins with"),
        ("CLIPSAVER_DATA_DIR", "a\0b", "data_dir (CLIPSAVER_DATA_DIR) must be a folder."),
    ],
)
def test_what_is_wrong_in_a_variable_is_said_with_both_names(
    loading: Loading, variable: str, text: str, sentence: str
) -> None:
    """The key and the variable are named, the value never is."""
    said = refusal(loading, **{variable: text})

    assert said.startswith(sentence)
    assert "pw" not in said


def test_a_variable_of_dotenv_is_said_with_its_file(loading: Loading, tmp_path: Path) -> None:
    """Otherwise one looks for it in the wrong place."""
    (tmp_path / ".env").write_text("CLIPSAVER_WEB_PORT=x")

    assert refusal(loading) == f"web.port (CLIPSAVER_WEB_PORT in {tmp_path / '.env'}) must be a whole number."


def test_variables_of_others_are_left_alone(loading: Loading) -> None:
    """What an orchestrator sets for a service called clipsaver is no key."""
    config = loading(CLIPSAVER_PORT="tcp://10.0.0.1:80", CLIPSAVER_SERVICE_HOST="10.0.0.1", CLIPSAVER_EXCHANGES="/x")

    assert loading() == config


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"DB_HOST": "x", "DB_TYPE": "sqlite"}, "DB_TYPE (database.url) must be postgres"),
        ({"DB_HOST": "x", "DB_PORT": "y"}, "DB_PORT (database.url) must be a port number."),
    ],
)
def test_parts_of_a_database_are_checked(loading: Loading, environ: dict[str, str], sentence: str) -> None:
    """The variable that is wrong is named."""
    assert refusal(loading, **environ).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("s.yml", b"a: [", "is not valid YAML: "),
        ("s.yml", b"a: \x01", "is not valid YAML."),
        ("s.yml", b"- a", "must hold keys and values."),
        ("s.yml", b"guild_settings_defaults:\n  foo: 1", "guild_defaults.foo in "),
        ("s.yml", b"1: 2", "1 in "),
        ("s.toml", b"\xff", "is not UTF-8 text."),
        ("s.toml", b"[web]\nport = 1", "web.port in "),
        ("s.toml", b"#" * (sources.LARGEST_FILE + 1), "is too long"),
    ],
)
def test_settings_files_are_checked(loading: Loading, tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    """Whatever is wrong with the file, it is one sentence."""
    (tmp_path / name).write_bytes(content)

    assert sentence in refusal(loading, DEFAULT_SETTINGS_PATH=name)


def test_a_settings_file_that_is_not_there_is_said(loading: Loading) -> None:
    """The variable named it, so it should be there."""
    assert "no.yml can't be read: No such file" in refusal(loading, DEFAULT_SETTINGS_PATH="no.yml")


def test_nothing_secret_is_shown(loading: Loading) -> None:
    """Printing a configuration shows no token and no password."""
    config = loading(
        BOT_TOKEN=TOKEN,
        CLIPSAVER_DISCORD_CLIENT_SECRET="client-secret",
        DATABASE_URL="postgresql://me:p%40ss-word@db/clips?password=other-word",
        REDIS_URL="redis://:redis-word@db",
    )

    shown = repr(config)

    assert set(config.secrets) >= {TOKEN, "client-secret", "p%40ss-word", "p@ss-word", "redis-word", "other-word"}
    assert not [secret for secret in config.secrets if secret in shown]


def test_the_shipped_files_are_found() -> None:
    """In a checkout they are at its top."""
    assert packaged("schema.sql").startswith("--")
    assert packaged("config.toml").startswith("# clipsaver's configuration")


def test_the_shipped_files_are_found_when_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an installed package they are beside its modules."""
    (tmp_path / "config.toml").write_text("inside")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)

    assert packaged("config.toml") == "inside"


def test_the_documentation_names_every_key() -> None:
    """Key, variable and default of each are in the table."""
    text = DOCS.read_text("utf-8")
    expected = [name for key in keys().values() for name in (f"`{key.name}`", f"`{key.twin}`", *key.also)]

    assert not [name for name in expected if name not in text]
