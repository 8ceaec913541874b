#!/bin/bash
enroot
