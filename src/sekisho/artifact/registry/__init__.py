"""Models by name: versions that never change, aliases that move as one, and a history that is only ever added to.

``names`` says what they may be called, ``events`` what happens to a model and how it is chained, ``state`` what follows from that, and
``history`` how it lies in a store. ``registry`` is what people use; ``cache`` brings a version onto this machine, ``audit`` proves that all
is whole, ``collection`` removes what nobody needs, and ``opening`` finds out where the registry is.
"""
