"""The examples of Hotmart's answers pass through with every field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_hotmart.api.client import HotmartClient
from airflow_provider_hotmart.api.config import HotmartConfig
from airflow_provider_hotmart.api.endpoints import ENDPOINTS
from airflow_provider_hotmart.api.filters import build_query
from airflow_provider_hotmart.api.json_text import json_lines
from airflow_provider_hotmart.api.listing import Listing
from airflow_provider_hotmart.emulator.service.answers import Answer
from airflow_provider_hotmart.emulator.service.calls import Call
from airflow_provider_hotmart.emulator.service.server import Reply
from tests.support import FakeClock, serving

#: Made up; only their shape is evidence.
EXAMPLES = {
    "products": """
{"items": [{"id": 4060000, "name": "Curso de Violão", "ucode": "00000000-0000-4000-8000-000000000004",
  "status": "ACTIVE", "created_at": 1767225600000, "format": "ONLINE_COURSE", "is_subscription": false,
  "warranty_period": 7}],
 "page_info": {"next_page_token": "eyJwYWdlIjoyLCJyb3dzIjoxfQ==", "results_per_page": 1}}
""",
    "sales_participants": """
{"items": [{"transaction": "HP2890000001", "product": {"name": "Curso de Violão", "id": 4060000},
  "users": [
    {"role": "PRODUCER", "user": {"ucode": "00000000-0000-4000-8000-000000000002", "locale": "PT_BR",
      "name": "ACME LTDA", "trade_name": "ACME", "cellphone": "21900000000", "phone": "21900000000",
      "email": "producer@example.com", "documents": [{"type": "CNPJ", "value": "00000000000100"}],
      "address": {"city": "Niterói", "state": "RJ", "country": "Brasil", "zip_code": "00000-000", "address": "Rua X",
        "complement": "", "neighborhood": "Centro", "number": "1"}}},
    {"role": "BUYER", "user": {"ucode": "00000000-0000-4000-8000-000000000001", "locale": "PT_BR",
      "name": "Maria Exemplo ", "cellphone": "", "phone": "63900000000", "email": "buyer@example.com",
      "documents": [{"type": "DOCUMENT", "value": "00000000000"}], "address": {"country": "Brasil"}}}]}],
 "page_info": {"total_results": 55, "next_page_token": "eyJwYWdlIjoyLCJyb3dzIjozfQ==", "results_per_page": 1}}
""",
    "sales": """
{"items": [{"product": {"id": 4060001, "name": "Curso de Violão"},
  "buyer": {"name": "Maria Exemplo", "ucode": "00000000-0000-4000-8000-000000000001", "email": "buyer@example.com"},
  "producer": {"name": "ACME LTDA", "ucode": "00000000-0000-4000-8000-000000000002"},
  "purchase": {"transaction": "HP2890000001", "order_date": 1767225600000, "approved_date": 1767225605000,
    "status": "APPROVED", "recurrency_number": 1, "is_subscription": true, "commission_as": "PRODUCER",
    "price": {"value": 118.8, "currency_code": "BRL"},
    "payment": {"method": "CREDIT_CARD_VISA", "type": "CREDIT_CARD", "installments_number": 12},
    "tracking": {"source_sck": "mail_01"}, "warranty_expire_date": 1767830400000,
    "offer": {"code": "abcd1234", "payment_mode": "SUBSCRIPTION"},
    "hotmart_fee": {"total": 10.6, "fixed": 1, "base": 97, "percentage": 9.9, "currency_code": "BRL"}}}],
 "page_info": {"total_results": 40, "next_page_token": "eyJwYWdlIjoyLCJyb3dzIjoxfQ==", "results_per_page": 1}}
""",
    "sales_commissions": """
{"items": [{"transaction": "HP2890000001", "product": {"id": 4060001, "name": "Curso de Violão"},
  "exchange_rate_currency_payout": 1,
  "commissions": [
    {"commission": {"value": 150.9, "currency_code": "BRL"}, "source": "PRODUCER",
     "user": {"ucode": "00000000-0000-4000-8000-000000000002", "name": "ACME LTDA", "email": "producer@example.com"}},
    {"commission": {"value": 20.0, "currency_code": "BRL"}, "source": "AFFILIATE",
     "user": {"ucode": "00000000-0000-4000-8000-000000000003", "name": "Afiliado",
    "email": "affiliate@example.com"}}]}],
 "page_info": {"total_results": 12, "results_per_page": 1}}
""",
    "sales_price_details": """
{"items": [{"transaction": "HP2890000001", "product": {"id": 4060001, "name": "Curso de Violão"},
  "base": {"value": 97, "currency_code": "BRL"}, "total": {"value": 118.8, "currency_code": "BRL"},
  "vat": {"value": 0, "currency_code": "BRL"}, "fee": {"value": 21.8, "currency_code": "BRL"},
  "coupon": {"code": "BEMVINDO", "value": 0.1}, "real_conversion_rate": 1}],
 "page_info": {"total_results": 12, "results_per_page": 1}}
""",
    "sales_summary": """
{"items": [{"total_items": 37, "total_value": {"value": 5400.5, "currency_code": "BRL"}},
           {"total_items": 3, "total_value": {"value": 61.2, "currency_code": "USD"}}],
 "page_info": {"total_results": 2, "results_per_page": 2}}
""",
    "subscriptions": """
{"items": [{"subscriber_code": "ABCD1234", "subscription_id": 12345678, "status": "CANCELLED_BY_SELLER",
  "accession_date": 1767225600000, "end_accession_date": 1767571200000, "request_date": 1767225599000,
  "date_next_charge": 1769904000000, "trial": false, "transaction": "HP2890000001",
  "plan": {"name": "Plano mensal", "id": 123456, "recurrency_period": 30},
  "product": {"name": "Curso de Violão", "id": 4060001, "ucode": "00000000-0000-4000-8000-000000000004"},
  "price": {"value": 97, "currency_code": "BRL"},
  "subscriber": {"name": "Maria Exemplo", "email": "buyer@example.com",
    "ucode": "00000000-0000-4000-8000-000000000001"}}],
 "page_info": {"total_results": 2, "results_per_page": 1}}
""",
    "subscription_summaries": """
{"items": [{"subscriber_code": "ABCD1234", "subscription_id": 12345678, "status": "ACTIVE", "lifetime": 50,
  "accession_date": 1767225600000, "trial": false, "date_next_charge": 1798761599000,
  "plan": {"name": "Plano anual", "recurrency_period": 360}, "product": {"name": "Curso de Violão", "id": 4060001},
  "offer": {"code": "abcd1234"},
  "last_recurrency": {"number": 1, "request_date": 1767225595000, "status": "PAID", "transaction_number": 1,
                      "billing_type": "SUBSCRIPTION"},
  "unpaid_recurrencies": [{"number": 2, "charge_date": 1769904000000}],
  "subscriber": {"name": "Maria Exemplo", "id": 1234567, "email": "buyer@example.com"}}],
 "page_info": {"results_per_page": 1}}
""",
    "subscription_transactions": """
{"items": [{"subscription_id": 12345678, "subscriber_code": "ABCD1234", "status": "ACTIVE",
    "billing_type": "SUBSCRIPTION",
  "adoption_date": 1735689600000, "last_update": 1767312000000, "date_next_charge": 1798761599000,
  "last_recurrency_start_date": 1767225600000, "last_recurrency_number": 2, "has_unpaid_recurrency": false,
  "has_credit_card_change": false, "is_paid_anticipation": false, "is_paid_negotiation": false,
  "product": {"id": 4060001, "name": "Curso de Violão"}, "producer": {"name": "ACME LTDA"},
    "trial_info": {"trial": false},
  "plan": {"name": "Plano anual", "recurrency_period": 360, "recurrency_type": "ANNUAL",
    "offer": {"key": "abcd1234"}},
  "recurrency": {"status": "PAID", "number": 2, "start_datetime": 1767225600000, "payment_delays_days": 0,
    "transaction_type": "AUTOMATIC", "transaction_sequence": 1, "is_current_purchase": true, "has_retry": false},
  "purchase": {"transaction": "HP2890000001", "order_date": 1767225600000, "approved_date": 1767225605000,
    "status": "COMPLETE", "payment": {"payment_type": "CREDIT_CARD", "credit_card_flag": "VISA"},
    "installment": {"installment_type": "CONVENTIONAL_INSTALLMENT", "installment_number": 12},
    "price": {"currency": "BRL", "value": 997, "total_value": 1194},
    "commission": {"conversion_rate": 1, "currency": "BRL", "original_value": 997, "original_paid_value": 997,
                   "producer_value": 922.22, "producer_paid_value": 922.22}},
  "subscriber": {"id": 1234567, "name": "Maria Exemplo", "email": "buyer@example.com", "phone_ddd": "21",
    "phone": "900000000"}}],
 "page_info": {"results_per_page": 1}}
""",
    "subscriber_purchases": """
[{"transaction": "HP2890000001", "approved_date": 1767225605000, "payment_engine": "HotPay", "status": "COMPLETE",
  "price": {"value": 97, "currency_code": "BRL"}, "payment_type": "HOTMART_BALANCE", "payment_method": "HOTMART",
  "recurrency_number": 1, "under_warranty": false},
 {"transaction": "HP2890000002", "payment_engine": "HotPay", "status": "OVERDUE",
  "price": {"value": 97, "currency_code": "BRL"}, "payment_type": "PIX", "payment_method": "PIX",
  "recurrency_number": 2, "under_warranty": false}]
""",
    "product_offers": """
{"items": [{"code": "abcd1234", "name": "", "description": "", "price": {"value": 97, "currency_code": "BRL"},
  "payment_mode": "SUBSCRIPTION", "is_main_offer": true, "is_currency_conversion_enabled": true,
  "is_smart_recovery_enabled": false}],
 "page_info": {"next_page_token": "eyJwYWdlIjoyLCJzaXplIjoxfQ==", "prev_page_token": null, "results_per_page": 1}}
""",
    "product_plans": """
{"items": [{"code": "plan1234", "name": "Plano mensal", "description": "", "price": {"value": 97,
    "currency_code": "BRL"},
  "periodicity": "MONTHLY", "max_installments": 1, "payment_mode": "ASSINATURA", "trial_period": 7,
  "is_subscription_recovery_enabled": true, "is_switch_plan_enabled": false}],
 "page_info": {"results_per_page": 1}}
""",
    "product_coupons": """
{"items": [{"id": 3000001, "coupon_code": "BEMVINDO", "discount": 0.1, "start_date": 1767225600000, "status": "valid",
  "active": true, "time_zone": {"offset": "-03:00", "id": "America/Sao_Paulo", "name": "AMERICA_SAO_PAULO",
                                "description": "Fuso horário de Brasília"}}],
 "page_info": {"results_per_page": 20}}
""",
    "club_modules": """
[{"module_id": "a1B2c3", "name": "Módulo 1", "sequence": 1, "is_public": false, "is_extra": false,
    "is_extra_paid": false,
  "classes": ["k1L2m3"], "total_pages": 4}]
""",
    "club_pages": """
[{"page_id": "p1Q2r3", "name": "Aula 1", "page_order": 1, "type": "CONTENT", "published": true, "has_media": true,
  "total_comments": 0, "rates_average": 4.5, "rates": [{"rate": 5, "total": 1}, {"rate": 4, "total": 1}],
  "dripping_configs": [{"liberation": {"type": "BY_DATE", "liberation_date": "2026-01-01T03:00:00Z"},
    "expiration": {"type": "BY_DAYS", "duration_days": 30},
    "classes": [{"id": "k1L2m3", "name": "Turma A", "default_class": true}]}]}]
""",
    "club_users": """
{"items": [{"user_id": "u1V2w3", "name": "Maria Exemplo", "email": "buyer@example.com", "role": "STUDENT",
    "status": "ACTIVE",
  "type": "BUYER", "engagement": "NONE", "plus_access": "WITHOUT_PLUS_ACCESS", "locale": "PT_BR",
    "class_id": "k1L2m3",
  "access_count": 3, "is_deletable": false, "purchase_date": 1767225605000, "first_access_date": 1767226000000,
  "last_access_date": 1767312000000, "progress": {"completed_percentage": 25, "total": 4, "completed": 1}}],
 "page_info": {"total_results": 111, "results_per_page": 1}}
""",
    "club_lessons": """
{"lessons": [{"page_id": "p1Q2r3", "page_name": "Aula 1", "module_name": "Módulo 1", "is_module_extra": false,
  "is_completed": true, "completed_date": 1767312000943}]}
""",
    "events": """
{"product": {"id": 4060002, "name": "Encontro"}, "start_event_date": 1767225600000, "end_event_date": 1767312000000,
 "lots": [{"id": 100001, "name": "Lote 1"}, {"id": 100002, "name": "Lote 2"}]}
""",
    "event_tickets": """
{"items": [{"buyer": {"ucode": "00000000-0000-4000-8000-000000000001", "name": "Maria Exemplo",
    "email": "buyer@example.com", "phone": null, "document": null},
  "participant": {"id": null, "name": null, "email": null, "document": null, "phone": null},
  "eticket": {"id": 12345678, "ticket_qr_code": "QR000000001", "current_update": 1767225600000,
    "checkin_status": "PENDING",
    "is_blocked": false, "ticket_status": "REFUNDED", "ticket_type": "PAID", "category": null,
    "checkin_url": "https://example.com/checkin"},
  "lot": {"id": 100001, "name": "Lote 1"}, "product": {"id": 4060002, "name": "Encontro"}}],
 "page_info": {"total_results": 1, "results_per_page": 1}}
""",
}
UCODE = "00000000-0000-4000-8000-000000000004"
#: What is asked for, where something has to be.
ASKED: dict[str, dict[str, Any]] = {
    "subscriptions": {"accession_start_date": "2026-01-01", "accession_end_date": "2026-02-01"},
    "subscription_summaries": {"accession_start_date": "2026-01-01", "accession_end_date": "2026-02-01"},
    "subscriber_purchases": {"subscriber_code": "ABCD1234"},
    "product_offers": {"product_ucode": UCODE},
    "product_plans": {"product_ucode": UCODE},
    "product_coupons": {"product_id": 4060001},
    "club_modules": {"subdomain": "area", "is_extra": False},
    "club_pages": {"subdomain": "area", "module_id": "a1B2c3"},
    "club_users": {"subdomain": "area"},
    "club_lessons": {"subdomain": "area", "user_id": "u1V2w3"},
    "events": {"event_id": 4060002},
    "event_tickets": {"event_id": 4060002, "ticket_status": "REFUNDED"},
}


def rows_in(name: str) -> list[dict[str, Any]]:
    body = json.loads(EXAMPLES[name])
    key = ENDPOINTS[name].rows_key
    return [body] if key is None else body if key == "[]" else body[key]


def records_in(name: str) -> Iterator[dict[str, Any]]:
    """The records that the rows of an example become."""
    endpoint = ENDPOINTS[name]
    stamp = {one.name: ASKED[name][one.name] for one in endpoint.stamps}
    status = {endpoint.status_key: "COMPLETE"} if endpoint.status_key else {}
    for row in rows_in(name):
        elements = row.pop(endpoint.records_in) if endpoint.records_in else [{}]
        yield from ({**status, **stamp, **row, **element} for element in elements)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_passes_through_with_every_field(name: str) -> None:
    body = json.loads(EXAMPLES[name])
    if isinstance(body, dict) and "page_info" in body:
        # It shows one of several pages; here it is the only one.
        body["page_info"].pop("next_page_token", None)
        body["page_info"].pop("total_results", None)

    def reply(call: Call) -> Reply:
        is_token = call.path == "/token"
        content = {"access_token": "t", "expires_in": 3600} if is_token else body
        return Reply(Answer(200, json.dumps(content).encode()))

    asked = dict(ASKED.get(name, {}))
    if ENDPOINTS[name].status == "transaction_status":
        asked["transaction_status"] = "COMPLETE"
    with serving(reply) as url:
        clock = FakeClock(1_767_312_000.0)
        client = HotmartClient(HotmartConfig(name, "secret", base_url=url, token_url=f"{url}/token"), clock=clock)
        query = build_query(ENDPOINTS[name], now=clock.time(), **asked)
        batches = [json_lines(batch) for batch in Listing(client, query)]
    assert [json.loads(line) for line in b"".join(batches).splitlines()] == list(records_in(name))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_knows_every_field_of_an_example(name: str) -> None:
    endpoint = ENDPOINTS[name]

    def leaves(value: Any, prefix: str = "") -> Iterator[str]:
        if isinstance(value, list) and any(isinstance(one, dict) for one in value) and not endpoint_has(prefix):
            for one in value:
                yield from leaves(one, prefix)
        elif isinstance(value, dict) and not endpoint_has(prefix):
            for key, part in value.items():
                yield from leaves(part, f"{prefix}.{key}" if prefix else key)
        else:
            yield prefix

    def endpoint_has(path: str) -> bool:
        return any(column.path == path for column in endpoint.columns)

    found = {path for row in rows_in(name) for path in leaves(row)}
    assert found <= {column.path for column in endpoint.columns}


def test_every_endpoint_has_an_example() -> None:
    assert set(EXAMPLES) == set(ENDPOINTS)
