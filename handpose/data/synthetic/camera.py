"""A pinhole camera before the hand: where it stands, and where it sees a point."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Where a pinhole camera stands (Chapter 15). The picture is a crop: its principal point may lie off its middle."""

    yaw: float = 0.0  # degrees about the fingers' direction: 0 sees the palm, 180 the back
    tilt: float = 0.0  # degrees: positive leans the finger tips towards the camera
    roll: float = 0.0  # degrees in the picture's plane, clockwise
    distance: float = 600.0  # mm from the camera to the hand's middle
    fill: float = 0.65  # longer side of the joints' box as a part of the picture
    centre: tuple = (0.5, 0.5)  # where in the picture the middle of that box lies

    def rotation(self) -> np.ndarray:
        """(3, 3): from the hand's frame (y up, z out of the palm) to the camera's (x right, y down, z away)."""
        yaw, tilt, roll = np.deg2rad([self.yaw, self.tilt, self.roll])
        about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
        about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        return about_z @ np.diag([1.0, -1.0, -1.0]) @ about_x @ about_y


def place(points: np.ndarray, joint_points: np.ndarray, camera: Camera, size: int):
    """Put the hand before the camera so that its joints' box has the wanted size and place.

    Returns:
        points (V, 3) and joints (21, 3) in mm in the camera frame, and K (3, 3).
    """
    turn = camera.rotation()
    middle = 0.5 * (joint_points.min(0) + joint_points.max(0))
    p = (points - middle) @ turn.T
    j = (joint_points - middle) @ turn.T
    distance = max(camera.distance, 90 - float(j[:, 2].min()))
    p[:, 2] += distance
    j[:, 2] += distance
    flat = j[:, :2] / j[:, 2:]
    low, high = flat.min(0), flat.max(0)
    focal = camera.fill * size / (high - low).max()
    principal = np.array(camera.centre) * size - 0.5 - focal * 0.5 * (low + high)
    return p, j, np.array([[focal, 0, principal[0]], [0, focal, principal[1]], [0, 0, 1]])


def project(points: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(N, 3) mm in the camera frame -> (N, 2) pixels."""
    return points[:, :2] / points[:, 2:] * k[[0, 1], [0, 1]] + k[:2, 2]
