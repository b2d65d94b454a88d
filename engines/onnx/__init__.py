"""ONNX graphs: conversion from TFLite, and passes over them."""
