"""Speaking HTTP/1.1 to the service that is judged: every byte ours to choose, every answer kept as it came.

A :mod:`~sekisho.probes.wire.message` is sent by a :mod:`~sekisho.probes.wire.client`, one after the other or side by side; or by
:mod:`~sekisho.probes.wire.load` at a rate that does not wait for answers.
"""
