#!/bin/bash
coproc N {
docker rm c
}
