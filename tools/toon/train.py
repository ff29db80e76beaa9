"""Trains everything, in two lanes that may run side by side; each goes on where it was stopped.

    python train.py [portrait|image]      # default: both, one after the other

The image lane goes round several times, so that a whole pack, if a weak one, exists early: a
training that has reached an entry's last iteration is left alone until a later entry asks for more.
"""
import signal
import subprocess
import sys
from pathlib import Path

# (training, last iteration, iterations over which the rate falls)
LANES = {
    'portrait': (('motion', 700, 1), ('clip l', 400, 150), ('portrait', 2400, 200),
                 ('motion', 1100, 300), ('portrait', 3000, 500), ('motion', 1500, 300),
                 ('clip l', 1500, 500), ('portrait', 6000, 1000)),
    'image': (('vae', 1900, 1), ('text', 800, 1), ('flux', 880, 1), ('clip b', 400, 150),
              ('judge', 300, 120), ('vae', 2350, 250), ('clip b', 800, 300), ('flux', 2000, 600),
              ('vae', 3300, 600), ('judge', 2500, 1500), ('clip b', 3000, 1000))}


def reached(name):
    """The iteration at which a training stands."""
    import torch
    from common import HOME
    path = HOME / name.replace(' ', '_') / 'state.pt'
    return torch.load(path, weights_only=False)['iteration'] if path.exists() else 0


class Lane:
    """Runs one training after the other; SIGTERM ends the one at work, which saves, and the lane."""

    def __init__(self):
        self.child, self.stop = None, False
        signal.signal(signal.SIGTERM, self.on_terminate)

    def on_terminate(self, *_):
        self.stop = True
        if self.child:
            self.child.terminate()

    def train(self, name, until, cooldown):
        first, *rest = name.split()
        script = Path(__file__).with_name(f'train_{first}.py')
        print('training', name, 'to iteration', until, flush=True)
        self.child = subprocess.Popen([sys.executable, str(script), *rest, '--until', str(until),
                                       '--cooldown', str(cooldown)])
        if self.child.wait() or self.stop:
            raise SystemExit(self.child.returncode)


def main():
    lane = Lane()
    for name in sys.argv[1:] or LANES:
        for entry in LANES[name]:
            if reached(entry[0]) < entry[1]:
                lane.train(*entry)


if __name__ == '__main__':
    main()
