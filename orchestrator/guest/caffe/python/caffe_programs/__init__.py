"""Caffe's programs, for an installation of Caffe that has its Python interface alone.

They stand where Caffe's own do: `bin/caffe.bin` beside an entry `.../caffe/python` of PYTHONPATH.
"""
