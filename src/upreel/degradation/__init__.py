"""How good video becomes poor: resampling, blur, noise, compression; seeded and serialisable."""
