"""gateway/model/secret.py: a secret shows nowhere by accident."""

import copy
import json
import logging
import pickle
import traceback

import msgspec
import pytest

from gateway.model.secret import Secret

CLEAR = "hunter2"


class Holder(msgspec.Struct, frozen=True):
    name: str
    password: Secret


@pytest.fixture
def secret():
    return Secret(CLEAR)


def test_only_reveal_gives_it_away(secret):
    assert secret.reveal() == CLEAR


def test_no_way_of_printing_shows_it(secret):
    holder = Holder("ana", secret)
    old_style = "%s" % secret  # noqa: UP031 - the way logging formats
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", f"{secret:>20}", old_style, repr(holder)):
        assert "***" in shown
        assert CLEAR not in shown


def test_no_log_and_no_traceback_shows_it(secret, caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("signing in with %s, %r", secret, {"password": secret})
    told = "".join(traceback.format_exception(ValueError(secret)))
    assert CLEAR not in caplog.text + told


@pytest.mark.parametrize("encode", [msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins, json.dumps])
def test_encoding_fails_instead_of_leaking(secret, encode):
    with pytest.raises(TypeError) as caught:
        encode({"password": secret})
    assert CLEAR not in str(caught.value)


def test_a_struct_that_holds_one_is_not_encoded(secret):
    with pytest.raises(TypeError):
        msgspec.json.encode(Holder("ana", secret))


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_not_pickled(secret, copied):
    with pytest.raises(TypeError, match="a secret is not pickled"):
        copied(secret)


def test_equal_secrets_are_equal(secret):
    assert secret == Secret(CLEAR)
    assert hash(secret) == hash(Secret(CLEAR))
    assert secret != Secret("other")
    assert secret != CLEAR


def test_it_has_no_attributes_to_dump(secret):
    with pytest.raises(TypeError):
        vars(secret)
