#!/bin/bash
! if true; then
docker rm c
fi
