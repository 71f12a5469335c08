"""The only importer of libvirt: a typed door to one node's hypervisor, one room for each subject.

Everything is read in bulk, errors become ours, and nothing here decides anything. A connection is safe to use from
several threads.
"""
