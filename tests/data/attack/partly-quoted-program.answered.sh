#!/bin/bash
singul"arity" exec a.sif ls
