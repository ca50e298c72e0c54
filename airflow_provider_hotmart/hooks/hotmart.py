"""From an Airflow connection to Hotmart."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoint import Endpoint
from airflow_provider_hotmart.api.endpoints import club, events, products, sales, subscriptions
from airflow_provider_hotmart.api.errors import (
    HotmartAuthError,
    HotmartConfigError,
    HotmartError,
    HotmartNotJsonError,
    HotmartPermissionError,
    HotmartTransportError,
    HotmartUnknownHostError,
)
from airflow_provider_hotmart.api.filter_values import parse_boolean
from airflow_provider_hotmart.api.filters import Query, build_query
from airflow_provider_hotmart.api.joining import SalesListing, parse_include, parse_reconcile
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.api.personal import KEEP, PSEUDONYMIZE, parse_personal_data, pseudonym
from airflow_provider_hotmart.api.shape import Shape
from airflow_provider_hotmart.get_provider_info import get_provider_info


class HotmartHook(BaseHook):
    """
    Talks to Hotmart with the credential of an Airflow connection.

    Methods that take dates also take ``timezone``, of those that name none; else the connection's counts.

    :param hotmart_conn_id: the connection, of type ``hotmart``: login is the Client ID, password the Client Secret.
    """

    conn_name_attr = "hotmart_conn_id"
    default_conn_name = "hotmart_default"
    conn_type = "hotmart"
    hook_name = "Hotmart"

    def __init__(self, hotmart_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hotmart_conn_id = hotmart_conn_id

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Describe the form's own fields to Airflow before 3.2, from the provider's metadata."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import IntegerField, PasswordField, StringField
        from wtforms.validators import Optional, any_of

        widgets = {}
        for name, field in _form()["conn-fields"].items():
            schema = field["schema"]
            validators = [Optional()]
            kind, widget = StringField, BS3TextFieldWidget()
            if schema.get("format") == "password":
                kind, widget = PasswordField, BS3PasswordFieldWidget()
            elif "integer" in schema["type"]:
                kind = IntegerField
            if "enum" in schema:
                validators.append(any_of(schema["enum"]))
            default = schema.get("default")
            if default is not None and kind is StringField:
                default = str(default)
            widgets[name] = kind(
                lazy_gettext(field["label"]),
                validators=validators,
                widget=widget,
                description=field["description"],
                default=default,
            )
        return widgets

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the form's standard fields to Airflow before 3.2, from the provider's metadata."""
        return {name.replace("-", "_"): value for name, value in _form()["ui-field-behaviour"].items()}

    @classmethod
    def config_from(cls, connection: Any, extra: Any = None) -> HotmartConfig:
        """
        Read a connection.

        :param connection: of type ``hotmart``.
        :param extra: its extra, where that was read already.
        :raises HotmartConfigError: when a field is missing or wrong, naming field, value and rule.
        """
        extra = (connection.extra_dejson if extra is None else extra) or {}
        # What is no JSON comes as an empty dictionary too.
        unreadable = connection.extra and not extra and connection.extra.strip() not in ("{}", "null")
        if unreadable or not isinstance(extra, Mapping):
            raise HotmartConfigError(
                f'Check connection {connection.conn_id!r}: extra is no JSON object, write it like {{"timeout": 60}}.'
            )
        return HotmartConfig.from_fields(
            login=connection.login,
            password=connection.password,
            host=connection.host,
            schema=connection.schema,
            port=connection.port,
            extra=extra,
            name=f"connection {connection.conn_id!r}",
        )

    @cached_property
    def _client(self) -> HotmartClient:
        try:
            connection = self.get_connection(self.hotmart_conn_id)
        except AirflowNotFoundException:
            raise missing_connection(self.hotmart_conn_id) from None
        config = self.config_from(connection)
        for secret in config.secrets:
            _mask(secret)
        return HotmartClient(config, on_secret=_mask)

    def get_conn(self) -> HotmartClient:
        """
        Return the client; the connection is looked up once per hook.

        :raises HotmartConfigError: when the connection is not usable as it is filled in.
        """
        return self._client

    def pseudonym(self, kind: str, value: Any) -> str:
        """
        Tell under which pseudonym a value of somebody's stands in files that were written under pseudonyms.

        :param kind: ``email``, ``phone``, ``document``, or ``code`` (a ``ucode``, where those were replaced).
        :param value: in whatever way it is written.
        :raises HotmartConfigError: when the connection has no key.
        """
        return pseudonym(self._pseudonym_key("a pseudonym"), kind, value)

    def build_query(self, endpoint: Endpoint, *, timezone: str | None = None, **filters: Any) -> Query:
        """
        Read what is to be asked for.

        :param endpoint: that is asked.
        :param timezone: of dates that name none; None: the connection's.
        :param filters: those of the endpoint.
        :raises HotmartInvalidRequestError: when a filter is not valid.
        """
        client = self._client
        timezone = timezone or client.config.timezone
        return build_query(endpoint, now=client.clock.time(), timezone=timezone, **filters)

    def shape(
        self,
        query: Query,
        parts: Mapping[str, Endpoint] | None = None,
        *,
        personal_data: Any = KEEP,
        pseudonymize_ucode: Any = False,
        is_flat: bool = False,
    ) -> Shape:
        """
        Prepare what becomes of records on their way out.

        :param query: that they are listed by.
        :param parts: what is joined with each of them, by the name that it has there.
        :param personal_data: what becomes of people's data: ``keep``, ``pseudonymize`` or ``drop``.
        :param pseudonymize_ucode: whether Hotmart's codes of people are replaced as well.
        :param is_flat: whether they are written as rows of columns.
        :raises HotmartConfigError: when pseudonyms are asked for, and the connection has no key.
        """
        hides_ucode = parse_boolean(pseudonymize_ucode, "pseudonymize_ucode")
        mode = parse_personal_data(personal_data, pseudonymize_ucode=hides_ucode)
        key = self._pseudonym_key("personal_data='pseudonymize'") if mode == PSEUDONYMIZE else None
        ucode_key = self._pseudonym_key("pseudonymize_ucode") if hides_ucode else None
        return Shape(query, parts, hides=mode != KEEP, key=key, ucode_key=ucode_key, is_flat=is_flat)

    def _pseudonym_key(self, need: str) -> str:
        key = self._client.config.pseudonym_key
        if key is None:
            raise HotmartConfigError(
                f"Check connection {self.hotmart_conn_id!r}: fill in 'Pseudonym key' (pseudonym_key in the extra), a "
                f"secret that {need} needs, and never change it, or the same people get other pseudonyms."
            )
        return key

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """
        Send one call to an endpoint that this package does not know yet, with token, call budget and retries.

        :param path: below the base URL, such as ``/user/api/v1/me``.
        :param params: the query, which does not show in logs and errors. None leaves a parameter out, a list
            repeats it.
        :return: the decoded body.
        :raises HotmartError: of the kind that tells what is wrong.
        """
        return self._client.get(path, params)

    def iter_products(
        self, *, product_id: Any = None, status: Any = None, format: Any = None, select: Any = None
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the account's products, each once, as Hotmart describes them.

        Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.

        :param product_id: one ID or several.
        :param status: one or several of :class:`~airflow_provider_hotmart.api.enums.ProductStatus`.
        :param format: one or several of :class:`~airflow_provider_hotmart.api.enums.ProductFormat`; a value
            unknown to this package is asked for, and is an error when nothing is found for it.
        :param select: dot paths of the fields to fetch, a list or comma-separated.
        :return: dictionaries with ``id``, ``name``, ``ucode``, ``status``, ``created_at`` (epoch milliseconds),
            ``format``, ``is_subscription``, ``warranty_period`` (days).
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(products.PRODUCTS, product_id=product_id, status=status, format=format, select=select)

    def iter_sales_participants(
        self,
        *,
        transaction: Any = None,
        transaction_status: Any = None,
        sales_start_date: Any = None,
        sales_end_date: Any = None,
        product_id: Any = None,
        buyer_email: str | None = None,
        buyer_name: str | None = None,
        sales_source: str | None = None,
        affiliate_name: str | None = None,
        commission_as: str | None = None,
        roles: Any = None,
        select: Any = None,
        timezone: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the people in the account's sales: one record per person and sale.

        Source: https://developers.hotmart.com/docs/en/v1/sales/sales-users/.

        :param transaction: one transaction code or several. Without dates, sales of any date are found.
        :param transaction_status: one or several of :class:`~airflow_provider_hotmart.api.enums.SaleStatus`, or
            ``"ALL"``. None means APPROVED and COMPLETE, or, with ``transaction``, whatever status the sale has.
        :param sales_start_date: first moment: ISO 8601 text, ``datetime`` or ``date``. None: 30 days before the end.
        :param sales_end_date: first moment that no longer counts. None: now.
        :param product_id: one product ID or several.
        :param buyer_email: the buyer's e-mail address.
        :param buyer_name: the buyer's name.
        :param sales_source: the SRC code of the sale's link.
        :param affiliate_name: the affiliate's name.
        :param commission_as: PRODUCER, COPRODUCER or AFFILIATE: the role of the account that asks, in the sales listed.
        :param roles: keep only people in these roles: BUYER, PRODUCER, COPRODUCER, AFFILIATE.
        :param select: dot paths of the fields to fetch, a list or comma-separated.
        :param timezone: of dates that name none; None: the connection's.
        :return: dictionaries with ``transaction``, ``transaction_status`` (the status that was asked for when the
            record came; None when only ``transaction`` was given), ``product``, ``role`` and ``user``.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(
            sales.SALES_PARTICIPANTS,
            transaction=transaction,
            transaction_status=transaction_status,
            sales_start_date=sales_start_date,
            sales_end_date=sales_end_date,
            product_id=product_id,
            buyer_email=buyer_email,
            buyer_name=buyer_name,
            sales_source=sales_source,
            affiliate_name=affiliate_name,
            commission_as=commission_as,
            roles=roles,
            select=select,
            timezone=timezone,
        )

    def iter_product_offers(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the offers of products, each with its ``product_ucode``.

        :param filters: those of :class:`.HotmartListProductOffersOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(products.PRODUCT_OFFERS, **filters)

    def iter_product_plans(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the plans of subscriptions, each with its ``product_ucode``.

        :param filters: those of :class:`.HotmartListProductPlansOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(products.PRODUCT_PLANS, **filters)

    def iter_product_coupons(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the coupons of products, each with its ``product_id``.

        :param filters: those of :class:`.HotmartListProductCouponsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(products.PRODUCT_COUPONS, **filters)

    def iter_sales(self, *, include: Any = None, reconcile: Any = None, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the account's sales, in Hotmart's own words.

        :param include: one or several of ``participants``, ``commissions``, ``price_details``: a record then holds
            what those endpoints say of the sale under these names.
        :param reconcile: True: fail when the number of sales differs from Hotmart's summary; ``"warn"``: say so.
        :param filters: those of :class:`.HotmartListSalesOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        query = self.build_query(sales.SALES, **filters)
        return SalesListing(self._client, query, parse_include(include), parse_reconcile(reconcile)).objects()

    def iter_sales_commissions(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield who earns how much by the account's sales: one record per sale and receiver.

        :param filters: those of :class:`.HotmartListSalesCommissionsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(sales.SALES_COMMISSIONS, **filters)

    def iter_sales_price_details(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield what the prices of the account's sales are made of.

        :param filters: those of :class:`.HotmartListSalesPriceDetailsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(sales.SALES_PRICE_DETAILS, **filters)

    def iter_sales_summary(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the number of sales and the commissions of the account, by currency.

        :param filters: those of :class:`.HotmartListSalesSummaryOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(sales.SALES_SUMMARY, **filters)

    def iter_subscriptions(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the account's subscriptions.

        :param filters: those of :class:`.HotmartListSubscriptionsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(subscriptions.SUBSCRIPTIONS, **filters)

    def iter_subscription_summaries(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield how far the account's subscriptions have come.

        :param filters: those of :class:`.HotmartListSubscriptionSummariesOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(subscriptions.SUBSCRIPTION_SUMMARIES, **filters)

    def iter_subscription_transactions(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the charges of the account's subscriptions: one record per transaction and currency.

        :param filters: those of :class:`.HotmartListSubscriptionTransactionsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(subscriptions.SUBSCRIPTION_TRANSACTIONS, **filters)

    def iter_subscriber_purchases(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the attempts to charge subscribers, each with its ``subscriber_code``.

        :param filters: those of :class:`.HotmartListSubscriberPurchasesOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(subscriptions.SUBSCRIBER_PURCHASES, **filters)

    def iter_club_modules(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the modules of members' areas, each with its ``subdomain``.

        :param filters: those of :class:`.HotmartListClubModulesOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(club.CLUB_MODULES, **filters)

    def iter_club_pages(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the pages of modules, each with its ``module_id``.

        :param filters: those of :class:`.HotmartListClubPagesOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(club.CLUB_PAGES, **filters)

    def iter_club_users(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the users of members' areas, each with its ``subdomain``.

        :param filters: those of :class:`.HotmartListClubUsersOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(club.CLUB_USERS, **filters)

    def iter_club_lessons(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the lessons of users, each with its ``subdomain`` and ``user_id``.

        :param filters: those of :class:`.HotmartListClubLessonsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(club.CLUB_LESSONS, **filters)

    def iter_events(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield when events begin and end, and their lots.

        :param filters: those of :class:`.HotmartGetEventOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(events.EVENTS, **filters)

    def iter_event_tickets(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """
        Yield the tickets of events, each with its ``event_id``.

        :param filters: those of :class:`.HotmartListEventTicketsOperator`.
        :raises HotmartError: of the kind that tells what is wrong; what was yielded before is then incomplete.
        """
        return self._iterate(events.EVENT_TICKETS, **filters)

    def _iterate(self, endpoint: Endpoint, **filters: Any) -> Iterator[dict[str, Any]]:
        return Listing(self._client, self.build_query(endpoint, **filters)).objects()

    def test_connection(self) -> tuple[bool, str]:
        """
        Get a new token and read one product: a credential may get a token and still be refused everything.

        :return: whether it works, and what to do if not.
        """
        try:
            has_products = self._client.check()
        except HotmartAuthError as error:
            return False, f"Wrong credential. {error}"
        except HotmartPermissionError as error:
            return False, f"No permission. {error}"
        except HotmartUnknownHostError as error:
            return False, f"Unknown host. {error}"
        except HotmartTransportError as error:
            return False, f"No network. {error}"
        except HotmartNotJsonError as error:
            return False, f"Not JSON. {error}"
        except HotmartError as error:
            return False, str(error)
        base_url = self._client.config.base_url
        if has_products:
            return True, f"Hotmart accepts the credential, and one product could be read from {base_url}"
        return True, f"Hotmart accepts the credential. Its account at {base_url} has no products"


def missing_connection(hotmart_conn_id: str) -> HotmartConfigError:
    """Say that a connection is not there, and how to add it."""
    return HotmartConfigError(
        f"There is no connection {hotmart_conn_id!r}: add it under Admin > Connections with the type Hotmart, or by "
        f"`airflow connections add {hotmart_conn_id} --conn-type hotmart --conn-login CLIENT_ID "
        "--conn-password CLIENT_SECRET`"
    )


def _form() -> dict[str, Any]:
    """Give the connection form, as the provider's metadata describe it."""
    info: dict[str, Any] = get_provider_info()["connection-types"][0]
    return info


def _mask(secret: str) -> None:
    """
    Make Airflow mask a secret in logs.

    In a task this tells the supervising process too, over a channel that only the main thread may use. The other
    threads send calls and log nothing that holds a secret.
    """
    if threading.current_thread() is threading.main_thread():
        with suppress(Exception):  # masking is a second line of defence and must not break the first
            mask_secret(secret)
