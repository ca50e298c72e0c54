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
        "operators": [
            {
                "integration-name": "Hotmart",
                "python-modules": [
                    "airflow_provider_hotmart.operators.club",
                    "airflow_provider_hotmart.operators.events",
                    "airflow_provider_hotmart.operators.products",
                    "airflow_provider_hotmart.operators.sales",
                    "airflow_provider_hotmart.operators.subscriptions",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "Hotmart",
                "python-modules": ["airflow_provider_hotmart.sensors.sales"],
            }
        ],
        "triggers": [
            {
                "integration-name": "Hotmart",
                "python-modules": [
                    "airflow_provider_hotmart.triggers.event",
                    "airflow_provider_hotmart.triggers.sensor",
                ],
            }
        ],
        "transfers": [
            {
                "source-integration-name": "Hotmart",
                "target-integration-name": "SQL databases",
                "python-module": "airflow_provider_hotmart.transfers.file_to_sql",
            }
        ],
        "hooks": [
            {
                "integration-name": "Hotmart",
                "python-modules": ["airflow_provider_hotmart.hooks.hotmart"],
            }
        ],
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
                    "environment": {
                        "label": "Environment",
                        "description": (
                            "Which Hotmart to call: production; the sandbox, "
                            "which needs a credential that was created as a sandbox credential; "
                            "or an emulator, whose address is the base URL and may be plain http."
                        ),
                        "schema": {
                            "type": ["string", "null"],
                            "enum": ["production", "sandbox", "emulator"],
                            "default": "production",
                        },
                    },
                    "timezone": {
                        "label": "Time zone",
                        "description": (
                            "The zone of dates that name none, by its IANA name, such as America/Sao_Paulo."
                        ),
                        "schema": {"type": ["string", "null"], "default": "UTC"},
                    },
                    "basic_token": {
                        "label": "Basic token",
                        "description": (
                            "Optional. The third value of the credential, with or without 'Basic ' in front. "
                            "It follows from Client ID and Client Secret, and has to agree with them."
                        ),
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "pseudonym_key": {
                        "label": "Pseudonym key",
                        "description": (
                            "Optional. The secret that pseudonyms of people are made with: "
                            "the same key gives the same person the same pseudonym."
                        ),
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "hottok": {
                        "label": "Hottok",
                        "description": (
                            "Optional. The secret that Hotmart's webhooks carry: Hotmart > Tools > Webhook."
                        ),
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "token_url": {
                        "label": "Token URL",
                        "description": (
                            "Optional. Where to ask for the access token, if not at Hotmart's own address."
                        ),
                        "schema": {"type": ["string", "null"]},
                    },
                    "timeout": {
                        "label": "Timeout",
                        "description": "Seconds without any byte of an answer, after which a call has failed.",
                        "schema": {"type": ["number", "null"], "default": 60, "minimum": 1},
                    },
                    "max_retries": {
                        "label": "Retries",
                        "description": "How often one call is repeated when Hotmart or the network fails.",
                        "schema": {"type": ["integer", "null"], "default": 5, "minimum": 0},
                    },
                    "max_rate_limit_wait": {
                        "label": "Longest wait for the rate limit",
                        "description": (
                            "Seconds that one call may wait, in all, when it is refused for the rate limit. "
                            "If Hotmart asks for more, the task fails."
                        ),
                        "schema": {"type": ["number", "null"], "default": 120, "minimum": 0},
                    },
                    "max_parallel_calls": {
                        "label": "Parallel calls",
                        "description": "How many calls one task makes at the same time, at most.",
                        "schema": {"type": ["integer", "null"], "default": 8, "minimum": 1},
                    },
                    "calls_per_minute": {
                        "label": "Calls per minute",
                        "description": (
                            "Optional. At most this many calls a minute by each task that runs, "
                            "to leave room for other integrations of the same account."
                        ),
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                },
            }
        ],
        "config": {
            "hotmart": {
                "description": "Receiving webhooks of Hotmart in the API server of Airflow 3.",
                "options": {
                    "webhook_connections": {
                        "description": (
                            "Ids of the connections that webhooks are received for, comma-separated, each at "
                            "``/hotmart/webhooks/{id}`` of the API server. They need their field ``hottok``. "
                            "Empty: none, and whatever comes there is answered 404."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "hotmart_default",
                        "default": "",
                    },
                    "webhook_archive": {
                        "description": (
                            "Folder that the body of each webhook is written to, as "
                            "``{connection id}/{day}/{id}.json``: an absolute path, or a URL of object storage. "
                            "Bodies hold personal data. Empty: they are not kept."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@my-bucket/hotmart/webhooks",
                        "default": "",
                    },
                    "webhook_archive_days": {
                        "description": ("Days after which bodies are removed, by the day of their event; 0: never."),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "90",
                        "default": "30",
                    },
                    "webhook_ledger": {
                        "description": (
                            "Ledger file in which it is noted which sales webhooks told of. Watchers and sensors "
                            "whose ``ledger`` is the same file report only the others. Empty: it is not noted."
                        ),
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@my-bucket/hotmart/ledger.json",
                        "default": "",
                    },
                    "webhook_ledger_days": {
                        "description": (
                            "Days for which that is remembered: no fewer than the longest look-back of those watchers."
                        ),
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "60",
                        "default": "31",
                    },
                },
            },
        },
    }
