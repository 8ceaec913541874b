#!/bin/bash
export UCX_NET_DEVICES=mlx5"_0:1"
