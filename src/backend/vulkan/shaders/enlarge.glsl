// torch's interpolate with align_corners false: cell i of `to` lies between two of `from`, the second
// of which has this share. The borders repeat.
float place(uint i, uint to, uint from)
{
    return max((float(i) + 0.5) * float(from) / float(to) - 0.5, 0.0);
}

uvec2 near(uint i, uint to, uint from)
{
    uint at = uint(place(i, to, from));
    return uvec2(at, min(at + 1, from - 1));
}

float share(uint i, uint to, uint from)
{
    float at = place(i, to, from);
    return at - floor(at);
}
