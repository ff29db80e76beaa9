// Sums over a workgroup, of at most 1024 invocations in subgroups of at least 4.
shared float part[256];

float total(float mine)
{
    float sum = subgroupAdd(mine);
    if (gl_NumSubgroups == 1) return sum;
    if (subgroupElect()) part[gl_SubgroupID] = sum;
    barrier();
    sum = 0;
    for (uint i = 0; i < gl_NumSubgroups; i++) sum += part[i];
    barrier();
    return sum;
}
