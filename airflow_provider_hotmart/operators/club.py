"""Operators that list a members' area (Hotmart Club): modules, pages, users, and what they have completed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_hotmart.api.endpoints.club import CLUB_LESSONS, CLUB_MODULES, CLUB_PAGES, CLUB_USERS
from airflow_provider_hotmart.operators.base import HotmartListOperator


class HotmartListClubModulesOperator(HotmartListOperator):
    """
    List the modules of members' areas.

    A record is one module, with the ``subdomain``.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/, "Members area", "Modules".

    :param subdomain: one subdomain of a members' area or several: what stands before ``.club.hotmart.com`` (templated).
        Hotmart cannot be asked for them.
    :param is_extra: only extra modules, or only the others (templated). None: both.
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = CLUB_MODULES
    template_fields: Sequence[str] = (*CLUB_MODULES.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        subdomain: str | Sequence[str] | None = None,
        is_extra: bool | str | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListClubPagesOperator(HotmartListOperator):
    """
    List the pages of modules.

    A record is one page, with the ``module_id``, and the ``subdomain`` where that is given. Each module takes a call.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/, "Members area", "Pages".

    :param subdomain: one subdomain of a members' area or several: what stands before ``.club.hotmart.com`` (templated).
        Needed where no module is given.
    :param module_id: one module or several (templated). None: all modules of the subdomains.
    :param product_id: the product that is taught; Hotmart's newer version of this call wants it (templated). None: the
        older version.
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = CLUB_PAGES
    template_fields: Sequence[str] = (*CLUB_PAGES.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        subdomain: str | Sequence[str] | None = None,
        module_id: str | Sequence[str] | None = None,
        product_id: int | str | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListClubUsersOperator(HotmartListOperator):
    """
    List the users of members' areas, and how far they have come.

    A record is one user, with the ``subdomain``. Its ``user_id`` is not the ``ucode`` of a buyer: the e-mail address
    joins the two.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Records are personal data, protected by the Brazilian LGPD: choose a destination that you may keep them in.

    Source: https://developers.hotmart.com/docs/, "Members area", "Students".

    :param subdomain: one subdomain of a members' area or several: what stands before ``.club.hotmart.com`` (templated).
        Hotmart cannot be asked for them.
    :param user_email: a part of the e-mail address (templated). Not called ``email``, because every Airflow task has an
        ``email`` of its own.
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = CLUB_USERS
    template_fields: Sequence[str] = (*CLUB_USERS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        subdomain: str | Sequence[str] | None = None,
        user_email: str | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)


class HotmartListClubLessonsOperator(HotmartListOperator):
    """
    List which lessons users have completed, and when.

    A record is one lesson of one user, with the ``subdomain`` and the ``user_id``. Each user takes a call.

    Without a ``destination`` the records are the task's XCom; with one they are written to that file, and the XCom is
    its manifest.

    Source: https://developers.hotmart.com/docs/, "Members area", "Progress of a student".

    :param subdomain: one subdomain of a members' area or several: what stands before ``.club.hotmart.com`` (templated).
        Hotmart cannot be asked for them.
    :param user_id: one user or several, of one subdomain (templated). None: all users of the subdomains.
    :param select: dot paths of the fields to keep, a list or comma-separated (templated).
    :param kwargs: of :class:`~airflow_provider_hotmart.operators.base.HotmartListOperator` and of any operator.
    """

    endpoint = CLUB_LESSONS
    template_fields: Sequence[str] = (*CLUB_LESSONS.arguments, *HotmartListOperator.template_fields)

    def __init__(
        self,
        *,
        subdomain: str | Sequence[str] | None = None,
        user_id: str | Sequence[str] | None = None,
        select: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters=locals(), **kwargs)
