"""Trains everything, in two lanes that may run side by side; each goes on where it was stopped.

    python train.py [portrait|image]      # default: both, one after the other

A training that has reached its last iteration is left alone; to go on with one, raise that number.
"""
import os
import signal
import subprocess
import sys
from pathlib import Path

# glibc keeps what was freed, in large pages: tensors of a step are those of the next.
KEEPING = {'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1', 'MALLOC_MMAP_MAX_': '0',
           'MALLOC_TRIM_THRESHOLD_': str(10 ** 11), 'MALLOC_TOP_PAD_': str(5 * 10 ** 8)}
# (training, last iteration, iterations over which the rate falls); a training that stands more than once
# went on with the rate high again, from what had been released, or into another phase.
LANES = {
    'portrait': (('motion', 5500, 1100), ('portrait', 7800, 1000), ('portrait', 8200, 150),
                 ('portrait', 9317, 0), ('portrait', 9720, 150), ('portrait', 12700, 1700),
                 ('portrait', 13170, 1700), ('portrait', 14300, 2600)),
    'image': (('vae', 4800, 1300), ('text', 800, 300), ('flux', 1650, 580), ('flux', 2700, 800),
              ('judge', 1200, 600), ('clip b', 9200, 2400), ('clip l', 9500, 2400))}


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
                                       '--cooldown', str(cooldown)], env=KEEPING | os.environ)
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
