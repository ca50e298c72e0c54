"""From an HTTP answer to a page of rows, or to the error that it stands for."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from airflow_provider_hotmart.api import errors
from airflow_provider_hotmart.api.http import Response
from airflow_provider_hotmart.api.http_errors import MAX_DESCRIPTION, error_of, scrub
from airflow_provider_hotmart.api.responses import CHUNK_SIZE, Page, names_a_successor, parse_object, parse_page
from airflow_provider_hotmart.emulator.service.bodies import laid_out

PATH = "/payments/api/v1/sales/users"
NOW = 1_445_412_400.0
HTML = b" <!DOCTYPE html><html><title>Request blocked</title></html>"


def page(body: Any, rows_key: str | None = "items") -> Page:
    """The page of a body."""
    return parse_page(body if isinstance(body, bytes) else json.dumps(body).encode(), PATH, rows_key)


def rows(body: Any, rows_key: str | None = "items") -> list[bytes]:
    """The rows of a body."""
    return [bytes(row) for row in page(body, rows_key).rows]


def error(status: int, body: Any = None, secrets: tuple[str, ...] = (), **more: Any) -> errors.HotmartError:
    """The error of an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    found = error_of(Response(status, CaseInsensitiveDict(), raw), PATH, now=NOW, secrets=secrets, **more)
    assert found is not None
    return found


class TestPage:
    def test_rows_total_and_next_token_are_read(self) -> None:
        read = page({"items": [{"id": 1}], "page_info": {"total_results": 5, "next_page_token": "eyJwYWdl==%2B +/"}})
        assert ([bytes(row) for row in read.rows], read.total) == ([b'{"id": 1}'], 5)
        assert read.next_token == "eyJwYWdl==%2B +/"
        assert not read.is_bare

    @pytest.mark.parametrize("last", [{"next_page_token": None}, {"next_page_token": ""}, {}, None])
    def test_the_last_page_may_say_so_in_any_way(self, last: Any) -> None:
        assert page({"items": [{"id": 1}], "page_info": last}).next_token is None

    @pytest.mark.parametrize("nothing", [{"items": [], "page_info": {}}, {"page_info": {}}, {}, {"items": None}])
    def test_no_rows_may_be_said_in_any_way(self, nothing: dict[str, Any]) -> None:
        assert page(nothing).rows == []

    def test_an_empty_object_is_bare_because_it_may_mean_a_select_that_matches_nothing(self) -> None:
        assert page({}).is_bare
        assert not page({"page_info": {}}).is_bare
        assert not page({"items": []}).is_bare

    @pytest.mark.parametrize("total", [None, "5", True, {}, 1.5])
    def test_a_total_that_is_no_whole_number_is_none(self, total: Any) -> None:
        assert page({"items": [], "page_info": {"total_results": total}}).total is None

    def test_a_total_of_zero_is_a_total(self) -> None:
        assert page({"items": [], "page_info": {"total_results": 0}}).total == 0

    def test_rows_may_be_the_whole_body_or_the_body_the_one_row(self) -> None:
        assert rows(b'[{"id":1}, {"id":2}]', "[]") == [b'{"id":1}', b'{"id":2}']
        assert rows(b'{"id":1}', None) == [b'{"id":1}']
        assert rows(b'{"lessons":[{"id":1}]}', "lessons") == [b'{"id":1}']

    @pytest.mark.parametrize("body", [b'{"id":1},{"id":2}', b"[]", b"7"])
    def test_a_body_that_is_to_be_one_row_is_one_object(self, body: bytes) -> None:
        with pytest.raises(errors.HotmartResponseError):
            page(body, None)

    @pytest.mark.parametrize(
        "row",
        [
            rb'{"name":"Jo\u00e3o","x":null}',
            '{"name":"João","unknown_in_2030":[{"a":1}]}'.encode(),
            b'{ "price" : 1.50E+2,"big":123456789012345678901234567890 }',
            b'{"price":1e-999,"text":"1e999]","code":"x1E+500}"}',
        ],
    )
    def test_a_row_is_what_hotmart_wrote_byte_for_byte(self, row: bytes) -> None:
        assert rows(b'{"items":[ ' + row + b" ,  " + row + b' ],"page_info":{}}') == [row, row]

    @given(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.floats(allow_nan=False, allow_infinity=False)))
    def test_a_row_of_a_pretty_printed_body_fits_on_a_line_and_says_the_same(self, row: dict[str, Any]) -> None:
        compact = json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
        body = laid_out(b'{"items":[' + compact + b'],"page_info":{"next_page_token":"a b"}}', "indented")
        assert b"\n" in body
        assert rows(body) == [compact]
        assert page(body).next_token == "a b"

    @pytest.mark.parametrize("token", [b"null", b'"a b"'])
    @pytest.mark.parametrize("space", [b"", b" ", b"\n  "])
    def test_a_successor_is_seen_without_parsing(self, token: bytes, space: bytes) -> None:
        body = b'{"items":[],"page_info":{"next_page_token"%b:%b%b}}' % (space, space, token)
        assert names_a_successor(body) == (page(body).next_token is not None)
        assert not names_a_successor(b'{"items":[]}')
        assert not names_a_successor(b"<html>")

    def test_carriage_returns_are_line_breaks_too(self) -> None:
        assert rows(b'{"items":[{"a":\r1}]}') == [b'{"a":1}']

    @pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1E+999", b"2.5e0999", b"1e400"])
    @pytest.mark.parametrize("after", [b"}", b" }", b',"b":1}', b"\n}"], ids=repr)
    def test_what_is_no_number_of_json_or_beyond_range_is_refused(self, number: bytes, after: bytes) -> None:
        with pytest.raises(errors.HotmartResponseError):
            page(b'{"items":[{"a":' + number + after + b"]}")
        with pytest.raises(errors.HotmartResponseError):
            page(b'{"items":[{"deep":[[{"a":[' + number + b"]}]]}]}")

    @pytest.mark.parametrize("length", range(CHUNK_SIZE - 50, CHUNK_SIZE))
    def test_a_number_is_looked_at_wherever_it_stands(self, length: int) -> None:
        before = b'{"items":[{"text":"%s"},' % (b"x" * length)
        assert len(rows(before + b'{"a":1e-300}]}')) == 2
        with pytest.raises(errors.HotmartResponseError):
            page(before + b'{"a":1e999}]}')

    def test_the_whole_body_is_checked_to_be_utf_8_also_where_nobody_looks(self) -> None:
        with pytest.raises(errors.HotmartNotJsonError):
            page('{"items":[{"name":"José"}]}'.encode("latin-1"))
        with pytest.raises(errors.HotmartNotJsonError):
            page(b'{"other":"\xe9","items":[]}')

    @pytest.mark.parametrize("rows_key", ["items", "[]", None])
    @pytest.mark.parametrize("layout", ["compact", "indented"])
    def test_half_a_surrogate_pair_does_not_block_a_page_and_stays_escaped(
        self, rows_key: str | None, layout: str
    ) -> None:
        row = r'{"name":"Zoé \ud83d","n":[1,2.5]}'.encode()
        body = {"items": b'{"items":[' + row + b'],"page_info":{"next_page_token":"a"}}', "[]": b"[" + row + b"]"}
        [read] = rows(laid_out(body.get(rows_key or "", row), layout), rows_key)
        assert json.loads(read) == {"name": "Zoé \ud83d", "n": [1, 2.5]}
        assert rb"\ud83d" in read
        assert b"\n" not in read

    def test_a_page_with_half_a_surrogate_pair_keeps_its_total_and_token(self) -> None:
        read = page(rb'{"\ud83d":1,"items":[{"name":"\ud83d"}],"page_info":{"total_results":3,"next_page_token":"a"}}')
        assert (len(read.rows), read.total, read.next_token) == (1, 3, "a")

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ({"items": {"maria": 1}}, "items"),
            ({"items": "maria"}, "items"),
            ({"items": [{"id": 1}, "maria"]}, "a row is no object"),
            ({"items": [None]}, "a row is no object"),
            ({"items": [["maria"]]}, "a row is no object"),
            ({"items": [], "page_info": ["maria"]}, "page_info"),
            ({"items": [], "page_info": {"next_page_token": 7}}, "next_page_token"),
            ({"items": [], "page_info": {"next_page_token": False}}, "next_page_token"),
        ],
    )
    @pytest.mark.parametrize("surrogate", [False, True])
    def test_another_form_than_the_promised_is_an_error_that_shows_no_data(
        self, body: Any, told: str, surrogate: bool
    ) -> None:
        raw = json.dumps(body)
        if surrogate:
            raw = raw.replace("maria", r"maria\ud83d").replace('"id": 1', r'"id": "\ud83d"')
        with pytest.raises(errors.HotmartResponseError, match="another form" if surrogate else told) as caught:
            page(raw.encode())
        assert type(caught.value) is errors.HotmartResponseError
        assert not caught.value.retryable
        assert caught.value.path == PATH
        assert "maria" not in str(caught.value)

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (b"", "an empty body"),
            (b" \r\n", "an empty body"),
            (HTML, "an HTML page"),
            (b'{"items": [', "something else, not JSON: run it again"),
            (b'{"items":[{"a":1}', "something else, not JSON: run it again"),
            (b'{"items":[]}{', "something else, not JSON: run it again"),
            (b"[]", "something else, not JSON: run it again"),
            (b'"text"', "something else, not JSON: run it again"),
            (b"null", "something else, not JSON: run it again"),
            (b"\xff\xfe", "something else, not JSON: run it again"),
            (b'{"items":' + b"[" * 100_000, "something else, not JSON: run it again"),
            (b'{"items":\n' + b"[" * 100_000, "something else, not JSON: run it again"),
            (b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "something else, not JSON: run it again"),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_what_is_no_json_is_never_no_data_and_may_pass(self, body: bytes, told: str) -> None:
        with pytest.raises(errors.HotmartNotJsonError, match=told) as caught:
            page(body)
        assert caught.value.path == PATH
        assert caught.value.retryable


class TestObject:
    def test_a_body_is_decoded_whatever_it_is(self) -> None:
        assert parse_object(b'{"a":[1,"x"]}', PATH) == {"a": [1, "x"]}
        assert parse_object(b"[1]", PATH) == [1]
        assert parse_object(rb'{"name":"\ud83d"}', PATH) == {"name": "\ud83d"}

    @pytest.mark.parametrize("body", [b"", HTML, b"{", b"NaN", b'{"a":1e999}', b'"\xe9"', b"[" * 100_000], ids=repr)
    def test_what_is_no_json_is_an_error(self, body: bytes) -> None:
        with pytest.raises(errors.HotmartNotJsonError):
            parse_object(body, PATH)


class TestError:
    @pytest.mark.parametrize("body", [b"{}", b'  {"items":[]}', b"[]"])
    def test_json_with_status_200_is_a_success(self, body: bytes) -> None:
        assert error_of(Response(200, {}, body), PATH, now=NOW) is None

    @pytest.mark.parametrize(
        ("status", "told", "kind"),
        [
            (302, None, errors.HotmartNotJsonError),
            (400, "invalid_parameter", errors.HotmartInvalidRequestError),
            (401, "token_expired", errors.HotmartAuthError),
            (401, "unauthorized", errors.HotmartAuthError),
            (401, None, errors.HotmartAuthError),
            (401, "unauthorized_client", errors.HotmartPermissionError),
            (403, "unauthorized_client", errors.HotmartPermissionError),
            (403, None, errors.HotmartPermissionError),
            (404, "not_found", errors.HotmartNotFoundError),
            (405, None, errors.HotmartResponseError),
            (407, None, errors.HotmartTransportError),
            (408, None, errors.HotmartServerError),
            (409, None, errors.HotmartServerError),
            (413, None, errors.HotmartInvalidRequestError),
            (422, None, errors.HotmartInvalidRequestError),
            (423, None, errors.HotmartServerError),
            (425, None, errors.HotmartServerError),
            (429, "too_many_requests", errors.HotmartRateLimitError),
            (499, None, errors.HotmartServerError),
            (500, "internal_server_error", errors.HotmartServerError),
            (502, None, errors.HotmartServerError),
            (599, None, errors.HotmartServerError),
        ],
    )
    def test_a_status_is_sorted_by_what_the_caller_can_do(
        self, status: int, told: str | None, kind: type[errors.HotmartError]
    ) -> None:
        found = error(status, {"error": told} if told else None)
        assert type(found) is kind
        assert (found.status, found.error, found.path) == (status, told, PATH)

    @pytest.mark.parametrize("status", [405, 406, 407, 409, 423, 451, 499])
    @pytest.mark.parametrize("body", [b"", b"{}", HTML])
    def test_only_what_the_filters_can_heal_tells_to_correct_them(self, status: int, body: bytes) -> None:
        found = error(status, body)
        assert "filters" not in str(found)
        assert not found.permanent

    @pytest.mark.parametrize("status", [201, 202, 204, 206])
    @pytest.mark.parametrize("body", [b"", b"{}", b'{"items":[]}'])
    def test_a_success_that_hotmart_does_not_document_is_an_error(self, status: int, body: bytes) -> None:
        found = error(status, body)
        assert type(found) is errors.HotmartResponseError
        assert found.status == status

    @pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 405, 406, 407])
    @pytest.mark.parametrize("body", [HTML, b"Request blocked by the firewall"], ids=["html", "text"])
    def test_what_is_not_hotmarts_json_is_passing_whatever_its_status(self, status: int, body: bytes) -> None:
        found = error(status, body)
        assert type(found) is errors.HotmartNotJsonError
        assert found.retryable
        assert not found.permanent
        assert found.status == status
        assert "blocked" not in str(found)
        assert "credential" not in str(found)

    @pytest.mark.parametrize("body", [HTML, b"Slow down"])
    def test_a_429_is_the_call_limit_whoever_wrote_its_page(self, body: bytes) -> None:
        response = Response(429, CaseInsensitiveDict({"retry-after": "7"}), body)
        found = error_of(response, PATH, now=NOW)
        assert isinstance(found, errors.HotmartRateLimitError)
        assert found.retry_after == 7

    @pytest.mark.parametrize("body", [HTML, b"Bad gateway", b"", b"{}"])
    def test_a_502_is_one_whoever_wrote_its_page(self, body: bytes) -> None:
        found = error(502, body)
        assert (type(found), found.status, found.retryable) == (errors.HotmartServerError, 502, True)

    @pytest.mark.parametrize("body", [b"", b" \n"])
    def test_a_success_without_a_byte_is_never_no_data(self, body: bytes) -> None:
        found = error(200, body)
        assert type(found) is errors.HotmartNotJsonError
        assert "an empty body" in str(found)

    @pytest.mark.parametrize("field", ["error_description", "message"])
    def test_hotmarts_own_words_are_part_of_the_error(self, field: str) -> None:
        assert "«invalid_parameter: No such status»" in str(
            error(400, {"error": "invalid_parameter", field: "No such status"})
        )

    @pytest.mark.parametrize(
        ("status", "body", "kind", "told"),
        [
            (
                404,
                {"code": "0006", "message": "Subdomain acme does not exist"},
                errors.HotmartNotFoundError,
                "«0006: Subdomain acme does not exist»",
            ),
            (
                400,
                {"errors": [{"code": 17, "message": "No such module"}]},
                errors.HotmartInvalidRequestError,
                "«17: No such module»",
            ),
            (422, {"error": {"code": "E7", "detail": "bad id"}}, errors.HotmartInvalidRequestError, "«E7: bad id»"),
            (500, {"reason": "out of memory"}, errors.HotmartServerError, "«out of memory»"),
            (400, {"message": "No start"}, errors.HotmartInvalidRequestError, "«No start»"),
        ],
    )
    def test_bodies_of_other_shapes_become_typed_errors_that_show_what_was_said(
        self, status: int, body: Any, kind: type[errors.HotmartError], told: str
    ) -> None:
        found = error(status, body)
        assert type(found) is kind
        assert told in str(found)

    @pytest.mark.parametrize("body", [b"", b"[1]", b"[]", b'{"error": true}', b"{" * 99_999, b"[" * 99_999, b"{bad"])
    def test_a_body_that_says_nothing_leaves_the_status_to_tell(self, body: bytes) -> None:
        found = error(403, body)
        assert type(found) is errors.HotmartPermissionError
        assert (found.error, found.description) == (None, None)

    @pytest.mark.parametrize(
        "body",
        [
            {"error": "invalid_parameter", "error_description": "no buyer m***a at example"},
            {"error": "invalid_parameter", "message": "maria%2540example.com"},
            {"error": {"code": "invalid_parameter", "detail": "MARIA"}},
        ],
    )
    def test_hotmarts_description_is_left_out_where_a_personal_filter_was_sent(self, body: Any) -> None:
        found = error(400, body, personal=True)
        assert (found.error, found.description) == ("invalid_parameter", None)

    @pytest.mark.parametrize(
        "body",
        [{"reason": "no buyer maria@example.com"}, {"error": "No buyer Maria"}, {"code": "maria@example.com"}],
    )
    def test_a_name_of_the_error_that_is_no_code_is_left_out_there_too(self, body: Any) -> None:
        assert "maria" not in str(error(400, body, personal=True)).lower()

    @pytest.mark.parametrize("secret", ["s3cr%2Bet/=", "maria silva+x@example.com", "João"])
    def test_a_secret_is_hidden_in_whatever_form_it_is_echoed(self, secret: str) -> None:
        encoded = base64.b64encode(secret.encode()).decode()
        for form in (secret, quote(secret, safe=""), quote_plus(secret), encoded, encoded.rstrip("=")):
            found = error(400, {"error": f"bad {form}", "error_description": f"value {form} refused"}, (secret,))
            assert str(found).count("***") == 2
            assert form not in str(found)


class TestScrub:
    def test_an_empty_secret_hides_nothing(self) -> None:
        assert scrub("plain words", [""]) == "plain words"

    def test_a_description_is_one_line_of_bounded_length(self) -> None:
        assert scrub("a\n b\t c", []) == "a b c"
        assert len(scrub("word " * 1000, [])) == MAX_DESCRIPTION + 1

    def test_the_beginning_of_a_secret_that_was_cut_never_shows(self) -> None:
        secret = "s3cret" * 10
        assert "s3cret" not in scrub("x" * (MAX_DESCRIPTION - 10) + secret, [secret])

    def test_a_secret_that_is_repeated_in_another_case_does_not_show(self) -> None:
        told = scrub("buyer MARIA@example.com unknown, maria%40EXAMPLE.com", ["Maria@Example.com"])
        assert "maria" not in told.lower()
