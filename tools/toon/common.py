"""What every training shares: device, precision, Muon, averages, checkpoints, pausing.

A run lives in $VORTEX_TRAIN (default ~/.local/share/vortex/train/toon)/NAME: state.pt and log.txt.
Everything random is a function of (run, iteration), so a run that is killed and started again
draws what it would have drawn.  Schedules count iterations, never the clock.
"""
import copy
import ctypes
import functools
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

HOME = Path(os.environ.get('VORTEX_TRAIN', Path.home() / '.local/share/vortex/train/toon'))
PAUSE = Path('/tmp/pause_training')
DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
torch.set_default_device(DEVICE)
torch.set_flush_denormal(True)  # heat maps fade into denormals, which slow products down four times


@functools.cache
def bf16_pays():
    """Whether bf16 products beat f32: not on every processor that has them natively."""
    if DEVICE.type == 'cuda':
        return True
    seconds = []
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(1024, 1024, dtype=dtype)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - start)
        seconds.append(min(times))
    return seconds[1] < .8 * seconds[0]


@functools.cache
def library():
    """fused.c, compiled for this processor."""
    source = Path(__file__).with_name('fused.c')
    code = source.read_bytes()
    path = HOME / f'fused-{hashlib.sha256(code).hexdigest()[:12]}.so'
    if not path.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f'.{os.getpid()}')
        subprocess.run(['gcc', '-O3', '-march=native', '-mprefer-vector-width=512', '-ffast-math',
                        '-std=c11', '-shared', '-fPIC', '-o', str(part), str(source), '-lm'],
                       check=True)
        os.replace(part, path)
    return ctypes.CDLL(str(path))


def fused(name, *arguments):
    """Calls a function of fused.c: tensors as float pointers, whole numbers as int64_t."""
    kinds = {torch.Tensor: lambda v: ctypes.c_void_p(v.data_ptr()), int: ctypes.c_int64,
             float: ctypes.c_float}
    if getattr(library(), name)(*(kinds[type(v)](v) for v in arguments)):
        raise ValueError(f'{name} refused its arguments')


def compute():
    """The precision of forward passes in training: bf16 where that is faster, else f32."""
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16_pays())


def orthogonal(g):
    """The orthogonal factor of a matrix, by five Newton-Schulz steps (constants: Muon, K. Jordan)."""
    x = g.bfloat16() if g.numel() > 1e5 and bf16_pays() else g.float()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonal steps: for the inner matrices and kernels."""

    def __init__(self, params, lr, momentum=.95, decay=.01):
        super().__init__(params, {'lr': lr, 'momentum': momentum, 'decay': decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group['params']:
                if p.grad is None:
                    continue
                s = self.state[p]
                if not s:
                    s['momentum'] = torch.zeros_like(p)
                s['momentum'].lerp_(p.grad, 1 - group['momentum'])
                u = p.grad.lerp(s['momentum'], group['momentum']).reshape(len(p), -1)
                u = orthogonal(u).reshape(p.shape)
                size = max(len(p), p.numel() // len(p))
                p.mul_(1 - group['lr'] * group['decay']).add_(u, alpha=-group['lr'] * .2 * size ** .5)


class Optimizer:
    """Muon for matrices whose names hold none of `plain`, AdamW for everything else."""

    def __init__(self, model, muon, adam, plain=(), slow=None):
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        inner = [p for n, p in named if p.ndim >= 2 and not any(k in n for k in plain)]
        ids, rates = {id(p) for p in inner}, {}
        for n, p in named:
            if id(p) not in ids:
                k = next((v for key, v in (slow or {}).items() if key in n), 1.)
                rates.setdefault(k, []).append(p)
        self.parts = [torch.optim.AdamW([{'params': v, 'lr': adam * k} for k, v in rates.items()],
                                        lr=adam, betas=(.9, .98), weight_decay=0.)]
        if inner:
            self.parts.append(Muon(inner, muon))
        self.base = [[g['lr'] for g in part.param_groups] for part in self.parts]

    def step(self, factor):
        for part, base in zip(self.parts, self.base):
            for g, lr in zip(part.param_groups, base):
                g['lr'] = lr * factor
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self):
        return [p.state_dict() for p in self.parts]

    def load_state_dict(self, states):
        for p, s in zip(self.parts, states):
            p.load_state_dict(s)


class Run:
    """One training: model, its moving average, optimiser, iteration, CPU seconds, log."""

    def __init__(self, name, model, optimizer, seconds_between_saves=180, average=.998):
        self.dir = HOME / name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.name, self.model, self.optimizer, self.average = name, model, optimizer, average
        self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        self.iteration, self.cpu, self.extra = 0, 0., {}
        self.start = 0  # where the optimizer began: later than 0 if restore.py made the state
        self.every, self.saved, self.started = seconds_between_saves, time.time(), time.process_time()
        self.means, self.stop = {}, False
        signal.signal(signal.SIGTERM, self.on_terminate)
        path = self.dir / 'state.pt'
        if path.exists():
            s = torch.load(path, DEVICE, weights_only=False)
            model.load_state_dict(s['model'])
            self.ema.load_state_dict(s['ema'])
            if s['optimizer']:
                optimizer.load_state_dict(s['optimizer'])
            self.iteration, self.cpu, self.extra = s['iteration'], s['cpu'], s['extra']
            self.start = s['start']
            self.say(f'resumed at iteration {self.iteration}')

    def on_terminate(self, *_):
        self.stop = True

    def minutes(self):
        return (self.cpu + time.process_time() - self.started) / 60

    def say(self, *words):
        line = f'{time.strftime("%H:%M:%S")} cpu {self.minutes():.1f} it {self.iteration} ' \
            + ' '.join(str(w) for w in words)
        print(line, flush=True)
        with open(self.dir / 'log.txt', 'a') as f:
            f.write(line + '\n')

    def rate(self, until, cooldown, warmup=100):
        """1, after a warm-up, until the last `cooldown` iterations fall linearly to 0.02."""
        down = min(1., max(.02, (until - self.iteration) / max(1, cooldown)))
        return min(1., (self.iteration - self.start + 1) / warmup) * down

    def random(self):
        """The generator of this iteration; torch's is seeded alike."""
        torch.manual_seed(self.iteration * 7919 + sum(map(ord, self.name)))
        return random.Random(f'{self.name}:{self.iteration}')

    def step(self, factor, clip=1.):
        """One optimiser step; then the average, the pause file and, when due, the checkpoint."""
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        if torch.isfinite(norm):
            self.optimizer.step(factor)
        else:
            self.model.zero_grad(set_to_none=True)
        self.iteration += 1
        with torch.no_grad():
            keep = min(self.average, (self.iteration + 1) / (self.iteration + 10))
            mine, theirs = self.ema.state_dict(), self.model.state_dict()
            pairs = [(a, b) for a, b in zip(mine.values(), theirs.values())]
            floats = [(a, b) for a, b in pairs if a.is_floating_point()]
            torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - keep)
        if PAUSE.exists():
            self.save()
            self.say('paused')
            while PAUSE.exists():
                time.sleep(1)
            self.say('goes on')
        if self.stop or time.time() - self.saved > self.every:
            self.save()
        if self.stop:
            self.say('stopped')
            sys.exit(0)

    def save(self):
        state = {'model': self.model.state_dict(), 'ema': self.ema.state_dict(),
                 'optimizer': self.optimizer.state_dict(), 'iteration': self.iteration,
                 'start': self.start, 'cpu': self.minutes() * 60, 'extra': self.extra}
        part = self.dir / 'state.part'
        torch.save(state, part)
        os.replace(part, self.dir / 'state.pt')
        self.saved = time.time()

    def note(self, **values):
        """Adds to the running means that report() prints."""
        for k, v in values.items():
            v = float(v)
            self.means.setdefault(k, []).append(v)

    def report(self, **more):
        m = {k: sum(v) / len(v) for k, v in self.means.items()} | more
        self.means = {}
        self.say(' '.join(f'{k} {v:.4f}' for k, v in m.items()))


def array(values):
    """A numpy array, or a list of equal ones, as a tensor where the training runs."""
    return torch.from_numpy(np.asarray(values)).to(DEVICE)


def noise(seed, *shape):
    """Normal noise that is the same on every device."""
    g = torch.Generator('cpu').manual_seed(seed)
    return torch.randn(*shape, generator=g, device='cpu').to(DEVICE)


def weights(name):
    """The moving average of a finished or running training."""
    return torch.load(HOME / name / 'state.pt', DEVICE, weights_only=False)['ema']


def known_trainings(card):
    """What a model card says of the trainings: name -> (iterations, CPU minutes)."""
    rows = Path(card).read_text().partition('<!-- trainings -->')[2] \
        .partition('<!-- end of trainings -->')[0].splitlines()
    cells = [[c.strip() for c in r.strip('|').split('|')] for r in rows]
    return {c[0].replace(' ', '_'): (int(c[1]), int(c[2])) for c in cells
            if len(c) == 3 and c[1].isdigit()}


def settings(parser):
    """What train.py says to each training: the schedule is there and nowhere else."""
    parser.add_argument('--until', type=int, required=True, help='last iteration')
    parser.add_argument('--cooldown', type=int, required=True)
    parser.add_argument('--threads', type=int, default=1)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    return a


def write_json(path, value):
    Path(path).write_text(json.dumps(value, indent=1) + '\n')
