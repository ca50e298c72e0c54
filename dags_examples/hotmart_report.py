"""
Every morning: Hotmart into PostgreSQL, and three questions answered in SQL, each in a table of its own.

- ``report_revenue``: what you earn, by product and currency, on each day of São Paulo.
- ``report_refunds``: refunds and late boletos by ISO week.
- ``report_subscribers``: new, returning and lost subscribers by month.

What each figure is and is not says the page "A report" of the provider's documentation.

It needs the connections ``hotmart_default`` and ``warehouse``, the latter to a PostgreSQL: ``pip install
'airflow-provider-hotmart[postgres]'``. Files go where the Variable ``hotmart_destination`` says, any URL that Airflow's
object storage takes, such as ``s3://aws_default@my-bucket/hotmart``. Without it, to a folder below ``/tmp``.

Each run lists the sales of the last 120 days anew, so that late boletos, refunds and chargebacks arrive, and loads them
over what is there. For what is older, run it once with ``{"days": 700}``. The tables have no names, no e-mail addresses
and no documents of people, only Hotmart's codes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Finds it on every Airflow. Where yours is 3 and stays so: from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_hotmart.operators.sales import HotmartListSalesCommissionsOperator, HotmartListSalesOperator
from airflow_provider_hotmart.operators.subscriptions import HotmartListSubscriptionsOperator
from airflow_provider_hotmart.transfers.file_to_sql import HotmartFileToSqlOperator

ZONE = "America/Sao_Paulo"
FOLDER = "{{ var.value.get('hotmart_destination', 'file:///tmp/hotmart') }}/report"
TODAY = f"{{{{ macros.hotmart.today(dag_run, '{ZONE}') }}}}"
DAYS_AGO = f"{{{{ macros.ds_add(macros.hotmart.today(dag_run, '{ZONE}'), -(params.days | int)) }}}}"

REVENUE = """
SELECT
    (purchase_approved_date AT TIME ZONE 'America/Sao_Paulo')::date AS day,
    sales.product_id,
    MAX(sales.product_name) AS product,
    -- Hotmart's answers have the one, its documentation the other.
    COALESCE(commission_currency_code, commission_currency_value) AS currency,
    COUNT(*) AS sales,
    SUM(commission_value) AS net_revenue
FROM hotmart_sales AS sales
LEFT JOIN hotmart_commissions AS commissions
    ON commissions.transaction = sales.purchase_transaction AND commissions.source = 'PRODUCER'
WHERE purchase_status IN ('APPROVED', 'COMPLETE')
GROUP BY day, sales.product_id, currency
"""

REFUNDS = """
WITH paid AS (
    SELECT
        (purchase_approved_date AT TIME ZONE 'America/Sao_Paulo')::date AS paid_on,
        (purchase_order_date AT TIME ZONE 'America/Sao_Paulo')::date AS ordered_on,
        purchase_payment_type = 'BILLET' AS is_boleto,
        purchase_status AS status,
        purchase_price_currency_code AS currency,
        purchase_price_value AS price
    FROM hotmart_sales
    WHERE purchase_status IN (
        'APPROVED', 'COMPLETE', 'PROTESTED', 'DISPUTE', 'PARTIALLY_REFUNDED', 'REFUNDED', 'CHARGEBACK'
    )
)
SELECT
    to_char(paid_on, 'IYYY-"W"IW') AS week,
    currency,
    COUNT(*) AS paid,
    SUM(price) AS paid_value,
    COUNT(*) FILTER (WHERE status = 'REFUNDED') AS refunded,
    COALESCE(SUM(price) FILTER (WHERE status = 'REFUNDED'), 0) AS refunded_value,
    COUNT(*) FILTER (WHERE status = 'CHARGEBACK') AS charged_back,
    COALESCE(SUM(price) FILTER (WHERE status = 'CHARGEBACK'), 0) AS charged_back_value,
    COUNT(*) FILTER (WHERE status = 'PARTIALLY_REFUNDED') AS partially_refunded,
    COUNT(*) FILTER (WHERE is_boleto AND paid_on > ordered_on) AS late_boletos,
    COALESCE(SUM(price) FILTER (WHERE is_boleto AND paid_on > ordered_on), 0) AS late_boletos_value
FROM paid
GROUP BY week, currency
"""

SUBSCRIBERS = """
WITH subscriptions AS (
    SELECT
        product_id,
        product_name,
        COALESCE(NULLIF(subscriber_ucode, ''), subscriber_code) AS subscriber,
        accession_date AS began,
        COALESCE(end_accession_date, 'infinity') AS ended
    FROM hotmart_subscriptions
    WHERE status NOT IN ('STARTED', 'INACTIVE')  -- never paid
),
neighbours AS (
    SELECT
        *,
        MAX(ended) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended_before,
        MAX(ended) OVER (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS ended_so_far,
        LEAD(began) OVER earlier AS next_began
    FROM subscriptions
    WINDOW earlier AS (PARTITION BY product_id, subscriber ORDER BY began, ended)
),
changes AS (
    SELECT product_id, product_name, began AS moment, 'new' AS change
    FROM neighbours WHERE ended_before IS NULL
    UNION ALL
    SELECT product_id, product_name, began, 'returning'
    FROM neighbours WHERE began > ended_before
    UNION ALL
    SELECT product_id, product_name, ended_so_far, 'lost'
    FROM neighbours WHERE ended_so_far < 'infinity' AND (next_began IS NULL OR next_began > ended_so_far)
)
SELECT
    to_char(moment AT TIME ZONE 'America/Sao_Paulo', 'YYYY-MM') AS month,
    product_id,
    MAX(product_name) AS product,
    COUNT(*) FILTER (WHERE change = 'new') AS new_subscribers,
    COUNT(*) FILTER (WHERE change = 'returning') AS returning_subscribers,
    COUNT(*) FILTER (WHERE change = 'lost') AS lost_subscribers
FROM changes
GROUP BY month, product_id
"""

with DAG(
    dag_id="hotmart_report",
    description="Net revenue, refunds, late boletos and subscribers in PostgreSQL",
    schedule="0 6 * * *",  # in the zone of the start_date
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    params={"days": 120},
    doc_md=__doc__,
    tags=["hotmart"],
):
    sales_of_the_last_days = {
        "transaction_status": "ALL",
        "commission_as": "PRODUCER",  # what you earn by products of your own
        "timezone": ZONE,
        "sales_start_date": DAYS_AGO,
        "sales_end_date": TODAY,
        "personal_data": "drop",
    }
    sales = HotmartListSalesOperator(
        task_id="sales", destination=f"{FOLDER}/sales-{TODAY}.csv.gz", **sales_of_the_last_days
    )
    commissions = HotmartListSalesCommissionsOperator(
        task_id="commissions", destination=f"{FOLDER}/commissions-{TODAY}.csv.gz", **sales_of_the_last_days
    )
    subscriptions = HotmartListSubscriptionsOperator(
        task_id="subscriptions",
        destination=f"{FOLDER}/subscriptions-{TODAY}.csv.gz",
        timezone=ZONE,
        accession_start_date="2011-01-01",  # Hotmart opened in 2011: all of them
        personal_data="drop",
    )
    loaded = {
        listing.task_id: HotmartFileToSqlOperator(
            task_id=f"load_{listing.task_id}",
            manifest=listing.output,
            conn_id="warehouse",
            table=f"hotmart_{listing.task_id}",
        )
        for listing in (sales, commissions, subscriptions)
    }
    for question, query, needed in (
        ("revenue", REVENUE, ("sales", "commissions")),
        ("refunds", REFUNDS, ("sales",)),
        ("subscribers", SUBSCRIBERS, ("subscriptions",)),
    ):
        # One transaction: who reads the table sees the answer of yesterday or that of today.
        [loaded[name] for name in needed] >> SQLExecuteQueryOperator(
            task_id=f"report_{question}",
            conn_id="warehouse",
            sql=[f"DROP TABLE IF EXISTS report_{question}", f"CREATE TABLE report_{question} AS {query}"],
        )
