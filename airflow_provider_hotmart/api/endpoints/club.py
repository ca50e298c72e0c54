"""Clubs: modules, pages, users and the lessons that they took."""

from __future__ import annotations

from airflow_provider_hotmart.api.endpoint import Endpoint, Filter, Found, columns

_SUBDOMAIN = Filter("subdomain", several=True, stamped=True, required=True)

CLUB_MODULES = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Modules".
    name="club_modules",
    path="/club/api/v1/modules",
    noun="modules",
    identity=("module_id",),
    columns=columns(
        "module_id name sequence:integer is_public:boolean is_extra:boolean is_extra_paid:boolean classes:json "
        "total_pages:integer"
    ),
    # Left out, Hotmart lists no extra modules.
    filters=(_SUBDOMAIN, Filter("is_extra", "boolean", several=True, defaults=("false", "true"))),
    rows_key="[]",
    page_size=None,
)

CLUB_PAGES = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Pages".
    name="club_pages",
    path="/club/api/v1/modules/{module_id}/pages",
    noun="pages",
    identity=("page_id",),
    columns=columns(
        "page_id name page_order:integer type published:boolean has_media:boolean total_comments:integer "
        "rates_average:ratio rates:json(rate,total) "
        "dripping_configs:json(liberation,type,liberation_date,liberation_days,page_id,expiration,duration_days,"
        "classes,id,name,default_class)"
    ),
    filters=(
        Filter("subdomain", several=True, stamped=True),
        Filter(
            "module_id",
            several=True,
            in_path=True,
            found_by=Found(CLUB_MODULES, "module_id", along=("subdomain",)),
        ),
        Filter("product_id", "id", path="/club/api/v2/modules/{module_id}/pages"),
    ),
    rows_key="[]",
    page_size=None,
)

CLUB_USERS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Students".
    name="club_users",
    path="/club/api/v1/users",
    noun="users",
    identity=("user_id",),
    columns=columns(
        "user_id name! email! role status type engagement plus_access locale class_id access_count:integer "
        "is_deletable:boolean purchase_date:moment? first_access_date:moment? last_access_date:moment? "
        "progress.completed_percentage:ratio progress.total:integer progress.completed:integer"
    ),
    # Every Airflow task has an email of its own.
    filters=(_SUBDOMAIN, Filter("user_email", personal=True, parameter="email")),
    page_size=None,
)

CLUB_LESSONS = Endpoint(
    # Source: https://developers.hotmart.com/docs/, "Members area", "Progress of a student".
    name="club_lessons",
    path="/club/api/v1/users/{user_id}/lessons",
    noun="lessons",
    identity=("page_id",),
    columns=columns(
        "page_id page_name module_name is_module_extra:boolean is_completed:boolean completed_date:moment?"
    ),
    filters=(
        _SUBDOMAIN,
        Filter("user_id", several=True, in_path=True, found_by=Found(CLUB_USERS, "user_id", along=("subdomain",))),
    ),
    rows_key="lessons",
    page_size=None,
)
