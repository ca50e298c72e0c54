"""
The provider's metadata: plain data.

Airflow loads this module while it starts, in every one of its processes, so it imports nothing.

The form of the ``hotmart`` connection is described here once. Airflow 3.2 and later build it from
``conn-fields`` and ``ui-field-behaviour``; for older versions the hook derives its form widgets from the
same data.
"""


def get_provider_info() -> dict:  # type: ignore[type-arg]  # naming the precise type takes an import
    """Return the provider's metadata, as a new dict on every call."""
    return {
        "package-name": "airflow-provider-hotmart",
        "name": "Hotmart",
        "description": "`Hotmart <https://hotmart.com/>`__: sales, subscriptions, products, clubs, tickets.\n",
        "integrations": [
            {
                "integration-name": "Hotmart",
                "external-doc-url": "https://developers.hotmart.com/docs/en/",
                "tags": ["service"],
            }
        ],
        "operators": _modules(
            "airflow_provider_hotmart.operators.club",
            "airflow_provider_hotmart.operators.events",
            "airflow_provider_hotmart.operators.products",
            "airflow_provider_hotmart.operators.sales",
            "airflow_provider_hotmart.operators.subscriptions",
        ),
        "sensors": _modules("airflow_provider_hotmart.sensors.sales"),
        "triggers": _modules("airflow_provider_hotmart.triggers.event", "airflow_provider_hotmart.triggers.sensor"),
        "transfers": [
            {
                "source-integration-name": "Hotmart",
                "target-integration-name": "SQL databases",
                "python-module": "airflow_provider_hotmart.transfers.file_to_sql",
            }
        ],
        "hooks": _modules("airflow_provider_hotmart.hooks.hotmart"),
        "connection-types": [
            {
                "connection-type": "hotmart",
                "hook-class-name": "airflow_provider_hotmart.hooks.hotmart.HotmartHook",
                "hook-name": "Hotmart",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": "Client ID",
                        "password": "Client Secret",
                        "host": "Base URL",
                    },
                    "placeholders": {
                        "login": "The Client ID of the credential: Hotmart > Tools > Hotmart credentials",
                        "password": "The Client Secret of the same credential",
                        "host": "Leave empty for Hotmart itself; set it for an emulator or a proxy",
                        # Airflow 3.3.2 tests a saved connection without a port as if its port were 0, and answers
                        # 400 because 0 is not what is saved. Nothing that a form can declare changes that.
                        "port": "Leave empty; if Test says only 'Bad Request', write 443",
                        "extra": "{}",
                        "environment": "production",
                        "timezone": "UTC",
                        "basic_token": "Leave empty: it is derived from Client ID and Client Secret",
                        "pseudonym_key": "Leave empty unless people are to be listed under pseudonyms",
                        "hottok": "Leave empty unless webhooks of Hotmart are received",
                        "token_url": "https://api-sec-vlc.hotmart.com/security/oauth/token",
                        "timeout": "60",
                        "max_retries": "5",
                        "max_rate_limit_wait": "120",
                        "max_parallel_calls": "8",
                        "calls_per_minute": "No limit of its own",
                    },
                },
                "conn-fields": {
                    "environment": _field(
                        "Environment",
                        "Which Hotmart to call: production; the sandbox, which needs a credential that was created as "
                        "a sandbox credential; or an emulator, whose address is the base URL and may be plain http.",
                        {"type": "string", "enum": ["production", "sandbox", "emulator"], "default": "production"},
                    ),
                    "timezone": _field(
                        "Time zone",
                        "The zone of dates that name none, by its IANA name, such as America/Sao_Paulo.",
                        {"type": "string", "default": "UTC"},
                    ),
                    "basic_token": _field(
                        "Basic token",
                        "Optional. The third value of the credential, with or without 'Basic ' in front. "
                        "It follows from Client ID and Client Secret, and has to agree with them.",
                        {"type": "string", "format": "password"},
                    ),
                    "pseudonym_key": _field(
                        "Pseudonym key",
                        "Optional. The secret that pseudonyms of people are made with: "
                        "the same key gives the same person the same pseudonym.",
                        {"type": "string", "format": "password"},
                    ),
                    "hottok": _field(
                        "Hottok",
                        "Optional. The secret that Hotmart's webhooks carry: Hotmart > Tools > Webhook.",
                        {"type": "string", "format": "password"},
                    ),
                    "token_url": _field(
                        "Token URL",
                        "Optional. Where to ask for the access token, if not at Hotmart's own address.",
                        {"type": "string"},
                    ),
                    "timeout": _field(
                        "Timeout",
                        "Seconds without any byte of an answer, after which a call has failed.",
                        {"type": "number", "default": 60, "minimum": 1},
                    ),
                    "max_retries": _field(
                        "Retries",
                        "How often one call is repeated when Hotmart or the network fails.",
                        {"type": "integer", "default": 5, "minimum": 0},
                    ),
                    "max_rate_limit_wait": _field(
                        "Longest wait for the rate limit",
                        "Seconds that one call may wait, in all, when it is refused for the rate limit. "
                        "If Hotmart asks for more, the task fails.",
                        {"type": "number", "default": 120, "minimum": 0},
                    ),
                    "max_parallel_calls": _field(
                        "Parallel calls",
                        "How many calls one task makes at the same time, at most.",
                        {"type": "integer", "default": 8, "minimum": 1},
                    ),
                    "calls_per_minute": _field(
                        "Calls per minute",
                        "Optional. At most this many calls a minute by each task that runs, "
                        "to leave room for other integrations of the same account.",
                        {"type": "integer", "minimum": 1},
                    ),
                },
            }
        ],
        "config": {
            "hotmart": {
                "description": "Receiving webhooks of Hotmart in the API server of Airflow 3.",
                "options": {
                    "webhook_connections": _option(
                        "Ids of the connections that webhooks are received for, comma-separated, each at "
                        "``/hotmart/webhooks/{id}`` of the API server. They need their field ``hottok``. "
                        "Empty: none, and whatever comes there is answered 404.",
                        example="hotmart_default",
                    ),
                    "webhook_archive": _option(
                        "Folder that the body of each webhook is written to, as "
                        "``{connection id}/{day}/{id}.json``: an absolute path, or a URL of object storage. "
                        "Bodies hold personal data. Empty: they are not kept.",
                        example="s3://aws_default@my-bucket/hotmart/webhooks",
                    ),
                    "webhook_archive_days": _option(
                        "Days after which bodies are removed, by the day of their event; 0: never.",
                        type="integer",
                        example="90",
                        default="30",
                    ),
                    "webhook_ledger": _option(
                        "Ledger file in which it is noted which sales webhooks told of. Watchers and sensors "
                        "whose ``ledger`` is the same file report only the others. Empty: it is not noted.",
                        example="s3://aws_default@my-bucket/hotmart/ledger.json",
                    ),
                    "webhook_ledger_days": _option(
                        "Days for which that is remembered: no fewer than the longest look-back of those watchers.",
                        type="integer",
                        example="60",
                        default="31",
                    ),
                },
            },
        },
    }


def _modules(*names: str) -> list[dict[str, object]]:
    """Say which modules of one kind there are."""
    return [{"integration-name": "Hotmart", "python-modules": list(names)}]


def _field(label: str, description: str, schema: dict[str, object]) -> dict[str, object]:
    """Describe a field of the connection form; each may stay empty."""
    return {"label": label, "description": description, "schema": {**schema, "type": [schema["type"], "null"]}}


def _option(description: str, *, type: str = "string", example: str, default: str = "") -> dict[str, str]:
    """Describe an option of Airflow's configuration."""
    return {"description": description, "version_added": "0.1.0", "type": type, "example": example, "default": default}
