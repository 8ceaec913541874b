"""Misspelt names of settings: near ones are found, real ones and a script's own are left alone."""

from __future__ import annotations

import pytest

from migrate.tables.library import shipped
from migrate.topics.fabric.names import catalogues, nearest_setting


@pytest.mark.parametrize(
    "name",
    [
        "UCX_TLS",
        "UCX_RC_MLX5_TM_ENABLE",
        "UCX_DC_MLX5_TIMEOUT",  # of the table below that of DC
        "UCX_UD_VERBS_RX_MAX_BUFS",
        "UCX_WARN_UNUSED_ENV_VARS",
        "NCCL_IB_CUDA_SUPPORT",  # of before 2.4
        "NCCL_ASYNC_ERROR_HANDLING",  # of PyTorch
        "UCX_HOME",
        "NCCL_TESTS",
        "NCCL_VERSION",
        "UCX_TLS2",
        "NCCL_DEBUG_2",
        "UCX_",
        "NCCL",
        "OMPI_MCA_bt1",
        "MY_UCX_TLSS",
    ],
)
def test_a_name_that_is_real_or_like_none_is_left_alone(name: str) -> None:
    assert nearest_setting(name, shipped()) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("UCX_NET_DEVICE", "UCX_NET_DEVICES"),
        ("UCX_NETDEVICES", "UCX_NET_DEVICES"),
        ("UCX_TLSS", "UCX_TLS"),
        ("UCX_TSL", "UCX_TLS"),
        ("UCX_LOF_LEVEL", "UCX_LOG_LEVEL"),
        ("UCX_IB_GID_INDX", "UCX_IB_GID_INDEX"),
        ("UCX_DC_MLX5_TIMEOTU", "UCX_DC_MLX5_TIMEOUT"),
        ("NCCL_SOCKET_IFANME", "NCCL_SOCKET_IFNAME"),
        ("NCCL_IB_DISABLED", "NCCL_IB_DISABLE"),
        ("NCCL_DUBUG", "NCCL_DEBUG"),
    ],
)
def test_a_slip_of_the_pen_is_understood(name: str, meant: str) -> None:
    assert nearest_setting(name, shipped()) == meant


def test_two_slips_are_too_many() -> None:
    assert nearest_setting("UCX_NTE_DEVICE", shipped()) is None


def test_no_real_name_is_taken_for_another() -> None:
    real = [c.prefix + name for c in catalogues(shipped()) for name in c.names]
    assert len(real) > 600
    assert [name for name in real if nearest_setting(name, shipped())] == []


def test_a_name_between_two_real_ones_is_left_alone() -> None:
    """Nobody knows whether `MEM_TYPES` or `MEM_TYPE` was meant, and both exist."""
    assert nearest_setting("UCX_RNDV_FRAG_MEM_TYPS", shipped()) is None
