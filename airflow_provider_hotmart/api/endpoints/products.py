"""Products, and what is sold of them: offers, plans, coupons."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_hotmart.api.endpoint import Endpoint, Filter, Found, columns
from airflow_provider_hotmart.api.enums import ProductFormat, ProductStatus

PRODUCTS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-list/.
    name="products",
    path="/products/api/v1/products",
    noun="products",
    identity=("id",),
    columns=columns(
        "id:integer name ucode status created_at:moment format is_subscription:boolean warranty_period:integer"
    ),
    filters=(
        Filter("product_id", "id", several=True, parameter="id"),
        Filter("status", "word", ProductStatus, several=True),
        Filter("format", "word", ProductFormat, is_open=True, several=True),
    ),
)
_OF_PRODUCT = Filter("product_ucode", "uuid", several=True, in_path=True, found_by=Found(PRODUCTS, "ucode"))

PRODUCT_OFFERS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-offers/.
    name="product_offers",
    path="/products/api/v1/products/{product_ucode}/offers",
    noun="offers",
    identity=("code",),
    columns=columns(
        "code name description price.value:decimal price.currency_code payment_mode is_main_offer:boolean "
        "is_currency_conversion_enabled:boolean is_smart_recovery_enabled:boolean"
    ),
    filters=(_OF_PRODUCT,),
)

PRODUCT_PLANS = Endpoint(
    # Source: https://developers.hotmart.com/docs/en/v1/product/product-plans/.
    name="product_plans",
    path="/products/api/v1/products/{product_ucode}/plans",
    noun="plans",
    identity=("code",),
    columns=columns(
        "code name description price.value:decimal price.currency_code periodicity max_installments:integer "
        "payment_mode trial_period:integer? is_subscription_recovery_enabled:boolean "
        "is_switch_plan_enabled:boolean"
    ),
    filters=(replace(_OF_PRODUCT, found_by=Found(PRODUCTS, "ucode", only="is_subscription")),),
    none_is_refused=True,
)

PRODUCT_COUPONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Products", "Coupons".
    name="product_coupons",
    path="/products/api/v1/coupon/product/{product_id}",
    noun="coupons",
    identity=("id",),
    columns=columns(
        "id:integer coupon_code discount:ratio start_date:moment status active:boolean "
        "time_zone.id time_zone.name time_zone.offset time_zone.description"
    ),
    filters=(
        Filter("product_id", "id", several=True, in_path=True, found_by=Found(PRODUCTS, "id")),
        Filter("code"),
    ),
    page_size=None,
)
